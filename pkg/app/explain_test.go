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
	"fmt"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/engine"
)

// TestExplain_Run asks a running process through its socket.
func TestExplain_Run(t *testing.T) {
	e := newEnv(t)
	e.createConfigMap(t, "a")
	e.createConfigMap(t, "b")
	o := e.options(t, fmt.Sprintf(`
triggers:
  - name: never
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}}
    filter: context.data.data.v == "never"
    action: {type: log}
  - name: failing
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}}
    action: {type: patch-resource, properties: {resource: {apiVersion: v1, kind: ConfigMap, name: nothing, namespace: %[1]s}, patch: {type: merge, data: {}}}}
    retry: {limit: 0}
  - name: deleted
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [delete]}}
    action: {type: log}
`, e.namespace))
	p := startRunAt(t, o, "debug")
	p.waitForLog(t, "watching")
	e.setValue(t, "a", "1")
	p.waitForDecisions(t, 1, "never", "Event filtered", "")
	p.waitForDecisions(t, 1, "failing", "Event dead-lettered", "")
	explainAll := func(object string) Explanation {
		t.Helper()
		explained, err := Explain(t.Context(), ExplainOptions{StoreOptions: o.StoreOptions, Object: object})
		if err != nil {
			t.Fatal(err)
		}
		if len(explained.Triggers) != 3 {
			t.Fatalf("got %+v, want 3 triggers", explained)
		}
		return explained
	}
	all := explainAll("configmap/" + e.namespace + "/a").Triggers
	if d := all[0].Decisions; len(d) != 1 || d[0].Outcome != engine.Filtered || d[0].Now != `"1"` || !strings.HasPrefix(d[0].Text, "filtered: context.data.data.v") {
		t.Errorf("never: got %+v", all[0])
	}
	if d := all[1].Decisions; len(d) != 1 || d[0].Outcome != engine.DeadLettered || !strings.Contains(d[0].Text, `"nothing" not found`) {
		t.Errorf("failing: got %+v, want the text of the error, which this user may read", all[1])
	}
	if f := all[2].NoDecision; f == nil || f.Reason != "NotSubscribed" {
		t.Errorf("deleted: got %+v", all[2])
	}
	if f := explainAll("configmap/" + e.namespace + "/b").Triggers[0].NoDecision; f == nil || f.Reason != "NoEvent" {
		t.Errorf("unchanged object: got %+v", f)
	}
	for _, kind := range []string{"Deployment", "deployments", "deploy", "deployments.apps"} { // of another group than the core group
		if f := explainAll(kind + "/" + e.namespace + "/web").Triggers[0].NoDecision; f == nil || f.Reason != "OtherKind" {
			t.Errorf("%s: got %+v", kind, f)
		}
	}
	_, err := Explain(t.Context(), ExplainOptions{StoreOptions: o.StoreOptions, Trigger: "failin"})
	if err == nil || !strings.Contains(err.Error(), `no trigger "failin"; did you mean "failing"?`) {
		t.Errorf("unknown trigger: got %v", err)
	}
	if _, err = Explain(t.Context(), ExplainOptions{StoreOptions: o.StoreOptions, Object: "thing/a"}); err == nil || !strings.Contains(err.Error(), `--object "thing/a": no kind or resource "thing" in the cluster`) {
		t.Errorf("unknown kind: got %v", err)
	}
	p.stop(t)
}
