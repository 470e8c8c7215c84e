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

package provider_test

import (
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// readRevision reads an ApplicationRevision and a ResourceTracker in all ways. Its result is
// an error unless both are decompressed.
const readRevision = `
import (
	"vela/kube"
	"vela/op"
)

let Revision = {apiVersion: "core.oam.dev/v1beta1", kind: "ApplicationRevision", metadata: {namespace: context.trigger.namespace, name: "shop-v1"}}
let Tracker = {apiVersion: "core.oam.dev/v1beta1", kind: "ResourceTracker"}
get:      kube.#Get & {$params: resource: Revision}
read:     kube.#Read & {$params: value: Revision}
list:     kube.#List & {$params: {resource: {apiVersion: Revision.apiVersion, kind: Revision.kind}, filter: namespace: context.trigger.namespace}}
legacy:   op.#Read & {value: Revision}
tracker:  kube.#Get & {$params: resource: Tracker & {metadata: name: "shop-v1-default"}}
trackers: kube.#List & {$params: {resource: Tracker, filter: {}}}
result: {
	components: [
		get.$returns.spec.application.spec.components[0].name,
		read.$returns.value.spec.application.spec.components[0].name,
		list.$returns.items[0].spec.application.spec.components[0].name,
		legacy.value.spec.application.spec.components[0].name,
	] & ["web", "web", "web", "web"]
	resources: [
		tracker.$returns.spec.managedResources[0].name,
		trackers.$returns.items[0].spec.managedResources[0].name,
	] & ["web", "web"]
}
`

// TestCompressed reads what KubeVela compresses.
func TestCompressed(t *testing.T) {
	c := cluster.Start(t, cluster.WithKubeVelaCRDs(), cluster.Own())
	admin, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	template, diags := action.Parse("read", readRevision)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	for _, algorithm := range []string{"gzip", "zstd"} {
		t.Run(algorithm, func(t *testing.T) {
			namespace := c.Namespace(t)
			for _, kind := range []string{"applicationrevision", "resourcetracker"} {
				text, err := os.ReadFile("../../compression/testdata/" + kind + "-" + algorithm + ".json")
				if err != nil {
					t.Fatal(err)
				}
				o := &unstructured.Unstructured{}
				if err := o.UnmarshalJSON(text); err != nil {
					t.Fatal(err)
				}
				if kind == "applicationrevision" {
					o.SetNamespace(namespace)
				}
				if err := admin.Create(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := admin.Delete(t.Context(), o); err != nil {
						t.Error(err)
					}
				}()
			}
			a, diags := template.Compile(action.Options{
				Trigger:  event.Trigger{Namespace: namespace, Name: "t"},
				Executor: provider.New(provider.Options{Client: admin, Namespace: namespace}), EvaluateResult: true,
			})
			if len(diags) > 0 {
				t.Fatal(diags)
			}
			if _, err := a.Start(nil, nil)(t.Context(), event.Event{}); err != nil {
				t.Error(err)
			}
		})
	}
}
