/*
Copyright 2026 The KubeVela Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package provider

import (
	"context"
	_ "embed"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	//go:embed multicluster.cue
	multiclusterSource string
	//go:embed oam.cue
	oamSource string
	//go:embed terraform.cue
	terraformSource string
)

// listClusters returns the names of the joined clusters, sorted, without the hub.
func listClusters(ctx context.Context, e *executor, _ client.Client, call Call) (Result, error) {
	if e.options.ListClusters == nil {
		return nil, &FailedError{Message: "only the worker's own cluster is available"}
	}
	names, err := e.options.ListClusters(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = name
	}
	return call.returns(map[string]any{"outputs": map[string]any{"clusters": list}}), nil
}
