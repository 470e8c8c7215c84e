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

package multicluster_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/warning"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestWarnings: the API server drops fields that it does not know, and says so in a warning
// only (kubernetes/kubernetes#81161, kubernetes/kubernetes#94865, kubevirt/kubevirt.core#31).
func TestWarnings(t *testing.T) {
	c := cluster.Start(t)
	httpClient, err := rest.HTTPClientFor(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	kube, err := client.New(c.Config, client.Options{HTTPClient: multicluster.Warnings(httpClient)})
	if err != nil {
		t.Fatal(err)
	}
	o := &corev1.ConfigMap{}
	o.Name, o.Namespace = "x", c.Namespace(t)
	ctx, collected := warning.Collect(t.Context())
	ctx, secrets := redact.Begin(ctx)
	secrets.Add("hunter22")
	if err := kube.Create(ctx, o); err != nil {
		t.Fatal(err)
	}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"dta": {"a": "b"}, "hunter22": {}}`))
	if err := kube.Patch(ctx, o, patch); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`API server: unknown field "dta"`, `API server: unknown field "(redacted)"`}, collected()); diff != "" {
		t.Error(diff)
	}
}
