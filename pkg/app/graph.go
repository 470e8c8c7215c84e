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

package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/dataflow"
)

// GraphOptions configure Graph.
type GraphOptions struct {
	DataflowOptions
	// FromCluster selects the TriggerServices of Cluster instead of a configuration: those in
	// Namespace, or all if it is empty.
	FromCluster bool
	Cluster     ClusterOptions
}

// Graph returns which triggers feed which.
func Graph(ctx context.Context, o GraphOptions) (dataflow.Graph, error) {
	var (
		flows   []TriggerFlow
		unknown []string
		err     error
	)
	switch {
	case o.FromCluster && o.Config != "":
		return dataflow.Graph{}, InvalidError{errors.New("--file and --cluster exclude each other")}
	case o.FromCluster:
		flows, unknown, err = o.clusterFlows(ctx)
	default:
		flows, _, err = o.deriveFlows(ctx)
	}
	if err != nil {
		return dataflow.Graph{}, err
	}
	list := make([]dataflow.Flow, 0, len(flows))
	for _, f := range flows {
		list = append(list, f.Flow)
	}
	g := dataflow.New(list)
	g.Unknown = append(g.Unknown, unknown...)
	return g, nil
}

// clusterFlows returns what the valid triggers in the cluster read and write, and the problems of
// the others. It reads TriggerServices, and the Definitions of actions, with the user's rights.
func (o GraphOptions) clusterFlows(ctx context.Context) (flows []TriggerFlow, unknown []string, err error) {
	cfg, _, err := o.Cluster.restConfig()
	if err != nil {
		return nil, nil, err
	}
	api, err := client.New(cfg, client.Options{})
	if err != nil {
		return nil, nil, err
	}
	services, err := listFiles(ctx, api, v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerServiceKind), o.Namespace)
	if err != nil {
		return nil, nil, err
	}
	names, err := readNames(o.Schemas)
	if err != nil {
		return nil, nil, err
	}
	definition := corev1alpha1.GroupVersion().WithKind(corev1alpha1.DefinitionKind)
	shared, err := listFiles(ctx, api, definition, velatypes.DefaultKubeVelaNS)
	if err != nil && !isNotInstalled(err) {
		return nil, nil, err
	}
	for _, namespace := range slices.Sorted(maps.Keys(services)) {
		own := map[string]map[string]config.File{}
		if namespace != velatypes.DefaultKubeVelaNS && shared != nil {
			if own, err = listFiles(ctx, api, definition, namespace); err != nil {
				return nil, nil, err
			}
		}
		definitions := maps.Clone(shared[velatypes.DefaultKubeVelaNS])
		if definitions == nil {
			definitions = map[string]config.File{}
		}
		maps.Copy(definitions, own[namespace])
		check := configuration{Dataflow: true, Names: names, Namespace: namespace}
		for _, files := range []map[string]config.File{definitions, services[namespace]} {
			for _, name := range slices.Sorted(maps.Keys(files)) {
				check.Config.List = append(check.Config.List, files[name])
			}
		}
		result, err := check.check(ctx)
		if err != nil && !errors.As(err, &InvalidError{}) {
			return nil, nil, err
		}
		for _, d := range result.Diagnostics {
			unknown = append(unknown, d.String())
		}
		flows = append(flows, result.Flows...)
	}
	return flows, unknown, nil
}

// listFiles returns the objects of a kind in a namespace, or in all, as files, by namespace and
// name.
func listFiles(ctx context.Context, api client.Client, kind schema.GroupVersionKind, namespace string) (map[string]map[string]config.File, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	if err := api.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list %ss: %w", kind.Kind, err)
	}
	out := map[string]map[string]config.File{}
	for _, o := range list.Items {
		o.SetManagedFields(nil)
		data, err := json.Marshal(o.Object)
		if err != nil {
			return nil, err
		}
		if out[o.GetNamespace()] == nil {
			out[o.GetNamespace()] = map[string]config.File{}
		}
		out[o.GetNamespace()][o.GetName()] = config.File{Path: fmt.Sprintf("%s %s/%s.json", kind.Kind, o.GetNamespace(), o.GetName()), Data: data}
	}
	return out, nil
}
