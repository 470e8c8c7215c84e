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

// end makes an Application that comes to run, which is the last that happens.
const end = "end"

func (b env) createEnd() {
	b.Helper()
	b.create(end, map[string]string{"l": end})
	b.status(end, `{"status": "rendering"}`)
}

func TestBecomes(t *testing.T) {
	b := newEnv(t, map[string]string{
		"running":  "{namespace: %s, phase: [running, unhealthy]}",
		"web":      "{namespace: %s, events: [componentUnhealthy, componentHealthy], components: [web]}",
		"named":    "{namespace: %s, name: b, phase: [running]}",
		"labelled": "{namespace: %s, matchingLabels: {l: x}, phase: [running]}",
	})
	b.create("old", nil)
	b.status("old", `{"status": "running"}`)
	p := b.program.Start(t)
	b.label("old", "x") // it runs for long
	b.create("a", nil)
	b.status("a", `{"status": "runningWorkflow"}`)
	b.status("a", `{"latestRevision": {"name": "a-v1", "revision": 1, "revisionHash": "1"}}`)
	b.status("a", workflow(0, "executing", false, false))
	b.status("a", services("!web", "db"))
	b.status("a", services("web", "db"))
	b.status("a", workflow(0, "succeeded", true, false))
	b.status("a", `{"status": "running"}`)
	b.label("a", "y") // nothing becomes of it
	b.status("a", `{"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-11-24T10:00:00Z"}]}`)
	b.status("a", services("!web", "!db"))
	b.status("a", `{"status": "unhealthy"}`)
	b.status("a", services("!web", "db"))
	// Another run begins, and tells of components as they come.
	b.status("a", workflow(1, "executing", false, false))
	b.status("a", `{"services": null}`)
	b.status("a", services("db"))
	b.status("a", services("db", "!web"))
	b.status("a", workflow(1, "failed", true, false))
	b.status("a", workflow(2, "executing", false, true))
	b.status("a", workflow(2, "terminated", true, true))
	b.create("b", nil)
	b.status("b", `{"status": "running"}`)
	if err := b.apps.Delete(t.Context(), "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	b.createEnd()
	p.Until("phaseChanged", 5)
	b.expect(p, map[string][]string{
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
		for _, ev := range p.Until(trigger, len(want)) {
			got = append(got, ev.Data["metadata"].(map[string]any)["name"].(string)+" "+ev.Data["status"].(map[string]any)["status"].(string))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", trigger, diff)
		}
	}
}

// What an event is, in full.
func TestEvent(t *testing.T) {
	b := newEnv(t, nil)
	p := b.program.Start(t)
	b.create("a", nil)
	b.status("a", services("web"))
	b.status("a", services("!web"))
	got := p.Until("componentUnhealthy", 1)[0]
	if got.Source != application.Type || got.Type != event.Update || got.Data["kind"] != "Application" {
		t.Errorf("got %+v", got)
	}
	want := map[string]any{"componentUnhealthy": []any{map[string]any{"name": "web", "namespace": "prod", "message": "Ready:1/1"}}}
	if diff := cmp.Diff(want, got.Data["changes"]); diff != "" {
		t.Error(diff)
	}
}

// TestRestart finds what became of Applications while no process ran: where the
// API server has the history of that, and where it has not.
func TestRestart(t *testing.T) {
	for name, expired := range map[string]bool{"history": false, "no history": true} {
		t.Run(name, func(t *testing.T) {
			b := newEnv(t, nil, cluster.Own())
			b.create("a", nil)
			b.create("same", nil)
			b.create("before", nil)
			b.status("before", `{"status": "running"}`)
			b.status("before", services("web", "db"))
			p := b.program.Start(t)
			for _, app := range []string{"a", "same"} {
				b.status(app, services("web", "!db"))
				b.status(app, workflow(0, "succeeded", true, false))
				b.status(app, `{"status": "running", "latestRevision": {"name": "v1", "revision": 1, "revisionHash": "1"}}`)
			}
			p.Until("phaseChanged", 2)
			p.Stop()
			b.status("a", services("!web", "db"))
			b.status("a", `{"status": "unhealthy"}`)
			b.status("a", workflow(1, "failed", true, false))
			b.status("a", `{"latestRevision": {"name": "v2", "revision": 2, "revisionHash": "2"}}`)
			b.label("same", "x")
			b.status("before", services("web", "!db"))
			if expired {
				b.cluster.Expire(t)
			}
			p = b.program.Start(t)
			b.createEnd()
			p.Until("phaseChanged", 2)
			b.expect(p, map[string][]string{
				"phaseChanged":       {"running unhealthy", "rendering"},
				"workflowFailed":     {"failed"},
				"revisionMade":       {"v2"},
				"componentUnhealthy": {"web", "db"},
				"componentHealthy":   {"db"},
			})
		})
	}
}
