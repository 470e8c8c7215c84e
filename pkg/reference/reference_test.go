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

package reference_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/reference"
)

const podSpec = `
volumes:
- {name: a, configMap: {name: volume}}
- {name: b, secret: {secretName: volume}}
- {name: c, emptyDir: {}}
- {name: d, projected: {sources: [{configMap: {name: projected}}, {secret: {name: projected}}, {serviceAccountToken: {path: token}}]}}
- {name: e, configMap: 1}
- text
initContainers:
- {name: i, env: [{name: A, valueFrom: {configMapKeyRef: {name: init, key: a}}}]}
containers:
- name: c
  env:
  - {name: A, value: a}
  - {name: B, valueFrom: {secretKeyRef: {name: env, key: b}}}
  - {name: C, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  envFrom: [{configMapRef: {name: from}}, {secretRef: {name: from}}, {configMapRef: {name: volume}}]
- {name: broken, env: {}}`

func TestOf(t *testing.T) {
	pod := strings.ReplaceAll(podSpec, "\n", "\n          ")
	inPod := "ConfigMap from, ConfigMap init, ConfigMap projected, ConfigMap volume, Secret env, Secret from, Secret projected, Secret volume"
	for name, tc := range map[string]struct{ object, want string }{
		"Pod":                        {"apiVersion: v1\nkind: Pod\nspec:" + pod, inPod},
		"Deployment":                 {"apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:" + pod, inPod},
		"CronJob":                    {"apiVersion: batch/v1\nkind: CronJob\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:" + pod, inPod},
		"a kind of others":           {"apiVersion: apps.kruise.io/v1alpha1\nkind: CloneSet\nspec:\n  template:\n    spec:" + pod, inPod},
		"ConfigMap":                  {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: itself}", "ConfigMap itself"},
		"Secret":                     {"apiVersion: v1\nkind: Secret\nmetadata: {name: itself}", "Secret itself"},
		"Secret of a group":          {"apiVersion: example.com/v1\nkind: Secret\nmetadata: {name: itself}", ""},
		"Service":                    {"apiVersion: v1\nkind: Service\nspec: {ports: []}", ""},
		"template of the wrong kind": {"apiVersion: example.com/v1\nkind: Page\nspec: {template: text}", ""},
		"no spec":                    {"apiVersion: apps/v1\nkind: Deployment", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(tc.object), &o.Object); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range reference.Of(o) {
				got = append(got, fmt.Sprintf("%s %s", r.Kind, r.Name))
			}
			if s := strings.Join(got, ", "); s != tc.want {
				t.Errorf("refers to %q, want %q", s, tc.want)
			}
		})
	}
}
