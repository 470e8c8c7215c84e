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

package application_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/application"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// end is the name of the Application that createEnd creates.
const end = "end"

// createEnd creates an Application whose event is the last one of a test.
func (e env) createEnd() {
	e.Helper()
	e.create(end, map[string]string{"l": end})
	e.status(end, `{"status": "rendering"}`)
}

func TestChanges(t *testing.T) {
	e := newEnv(t, map[string]string{
		"running":  "{namespace: %s, phase: [running, unhealthy]}",
		"web":      "{namespace: %s, events: [componentUnhealthy, componentHealthy], components: [web]}",
		"named":    "{namespace: %s, name: b, phase: [running]}",
		"labelled": "{namespace: %s, matchingLabels: {l: x}, phase: [running]}",
	})
	e.create("old", nil)
	e.status("old", `{"status": "running"}`)
	p := e.program.Start(t)
	e.label("old", "x") // no change: it was running before
	e.create("a", nil)
	e.status("a", `{"status": "runningWorkflow"}`)
	e.status("a", `{"latestRevision": {"name": "a-v1", "revision": 1, "revisionHash": "1"}}`)
	e.status("a", workflow(0, "executing", false, false))
	e.status("a", services("!web", "db"))
	e.status("a", services("web", "db"))
	e.status("a", workflow(0, "succeeded", true, false))
	e.status("a", `{"status": "running"}`)
	e.label("a", "y") // no change
	e.status("a", `{"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-11-24T10:00:00Z"}]}`)
	e.status("a", services("!web", "!db"))
	e.status("a", `{"status": "unhealthy"}`)
	e.status("a", services("!web", "db"))
	// The next run reports the components one after the other.
	e.status("a", workflow(1, "executing", false, false))
	e.status("a", `{"services": null}`)
	e.status("a", services("db"))
	e.status("a", services("db", "!web"))
	e.status("a", workflow(1, "failed", true, false))
	e.status("a", workflow(2, "executing", false, true))
	e.status("a", workflow(2, "terminated", true, true))
	e.create("b", nil)
	e.status("b", `{"status": "running"}`)
	if err := e.apps.Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	e.createEnd()
	p.WaitForEvents("phaseChanged", 5)
	e.expect(p, map[string][]string{
		"phaseChanged": {"runningWorkflow", "runningWorkflow running", "running unhealthy",
			"running", "rendering"},
		"revisionMade":       {"a-v1"},
		"workflowFinished":   {"succeeded"},
		"workflowFailed":     {"failed", "terminated"},
		"componentHealthy":   {"db", "web", "db"},
		"componentUnhealthy": {"web db"},
	})
	for trigger, want := range map[string][]string{
		"running": {"a running", "a unhealthy", "b running"}, "named": {"b running"}, "labelled": {"old running"},
		"web": {"a runningWorkflow", "a running"},
	} {
		got := []string{}
		for _, ev := range p.WaitForEvents(trigger, len(want)) {
			got = append(got, ev.Data["metadata"].(map[string]any)["name"].(string)+" "+ev.Data["status"].(map[string]any)["status"].(string))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", trigger, diff)
		}
	}
}

func TestEvent(t *testing.T) {
	e := newEnv(t, nil)
	p := e.program.Start(t)
	e.create("a", nil)
	e.status("a", services("web"))
	e.status("a", services("!web"))
	got := p.WaitForEvents("componentUnhealthy", 1)[0]
	if got.Source != application.Type || got.Type != event.Update || got.Data["kind"] != "Application" {
		t.Errorf("got %+v", got)
	}
	want := map[string]any{"componentUnhealthy": []any{map[string]any{"name": "web", "namespace": "prod", "message": "Ready:1/1"}}}
	if diff := cmp.Diff(want, got.Data["changes"]); diff != "" {
		t.Error(diff)
	}
}

// TestRestart emits events for changes while no process ran, whether the API server has
// the history of that time or not.
func TestRestart(t *testing.T) {
	for name, expired := range map[string]bool{"history": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, nil, cluster.Own())
			e.create("a", nil)
			e.create("same", nil)
			e.create("before", nil)
			e.status("before", `{"status": "running"}`)
			e.status("before", services("web", "db"))
			p := e.program.Start(t)
			for _, app := range []string{"a", "same"} {
				e.status(app, services("web", "!db"))
				e.status(app, workflow(0, "succeeded", true, false))
				e.status(app, `{"status": "running", "latestRevision": {"name": "v1", "revision": 1, "revisionHash": "1"}}`)
			}
			p.WaitForEvents("phaseChanged", 2)
			p.Stop()
			e.status("a", services("!web", "db"))
			e.status("a", `{"status": "unhealthy"}`)
			e.status("a", workflow(1, "failed", true, false))
			e.status("a", `{"latestRevision": {"name": "v2", "revision": 2, "revisionHash": "2"}}`)
			e.label("same", "x")
			e.status("before", services("web", "!db"))
			if expired {
				e.cluster.Expire(t)
			}
			p = e.program.Start(t)
			e.createEnd()
			p.WaitForEvents("phaseChanged", 2)
			e.expect(p, map[string][]string{
				"phaseChanged":       {"running unhealthy", "rendering"},
				"workflowFailed":     {"failed"},
				"revisionMade":       {"v2"},
				"componentUnhealthy": {"web", "db"},
				"componentHealthy":   {"db"},
			})
		})
	}
}
