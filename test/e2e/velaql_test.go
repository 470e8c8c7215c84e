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

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// velaqlSource tests that a change of a view's result is an event, that the status reports
// the error of a view that cannot be read, and that the other triggers run meanwhile.
func velaqlSource(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.allowConfigMaps(t, ns)
	i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  triggers:
    - name: color
      source:
        type: velaql
        properties:
          interval: 1s
          template: |
            import "vela/kube"
            read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "in", namespace: "%[1]s"}}}
            status: color: read.$returns.data.color
      filter: context.old.result.color != context.data.result.color
      action:
        type: run-velaql
        properties:
          template: |
            parameter: color: string
            status: "now \(parameter.color)"
          parameter: {color: "{{.data.result.color}}"}
          output: {configMap: {name: out}}
    - name: named
      source: {type: velaql, properties: {view: not-granted}}
      action: {type: log, properties: {message: x}}
    - name: other
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s}}
      action: {type: log, properties: {message: x}}
`, ns))
	waitForState := func(name string, state v1alpha1.TriggerState, message string) {
		t.Helper()
		i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
			for _, s := range ts.Status.Triggers {
				if s.Name == name && s.State == state && strings.Contains(s.Message, message) {
					return nil
				}
			}
			return fmt.Errorf("got status %+v, want trigger %s in state %s with message %q", ts.Status, name, state, message)
		})
	}
	waitForState("color", v1alpha1.TriggerWaiting, `configmaps "in" not found`)
	waitForState("named", v1alpha1.TriggerWaiting, "read ConfigMap vela-system/not-granted")
	waitForState("other", v1alpha1.TriggerRunning, "")
	in := func(color string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: in}\ndata: {color: %s}", ns, color)
	}
	i.apply(t, in("blue"))
	waitForState("color", v1alpha1.TriggerRunning, "")
	i.apply(t, in("green"))
	i.waitForValue(t, ns, "out", "result", "now green")
	i.activePod(t, ns).Kill() // the restarted worker continues from the last result
	i.apply(t, in("red"))
	i.waitForValue(t, ns, "out", "result", "now red")
}
