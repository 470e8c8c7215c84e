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

package actions_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// startVela starts an env with the CRDs of KubeVela and KubeVela workflow.
func startVela(t *testing.T) env {
	t.Helper()
	c := cluster.Start(t, cluster.WithKubeVelaCRDs())
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/kubevela/workflow").Output()
	if err != nil {
		t.Fatal(err)
	}
	c.Install(t, filepath.Join(strings.TrimSpace(string(out)), "charts/vela-workflow/crds/core.oam.dev_workflowruns.yaml"))
	return env{Cluster: c, Client: connect(t, c.Config), namespace: c.Namespace(t)}
}

// setStatus updates the status of an object, as its controller does.
func (e env) setStatus(t *testing.T, o *unstructured.Unstructured, status map[string]any) {
	t.Helper()
	u := e.get(t, o)
	u.Object["status"] = status
	if err := e.Status().Update(t.Context(), u); err != nil {
		t.Fatal(err)
	}
}

func (e env) application(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	app := e.create(t, "core.oam.dev/v1beta1", "Application", "web", nil)
	app.Object["spec"] = map[string]any{"components": []any{
		map[string]any{"name": "db", "type": "worker"},
		map[string]any{"name": "web", "type": "webservice", "properties": map[string]any{"image": "web:1", "port": int64(80)}},
	}}
	if err := e.Update(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	return app
}

// TestPatchApplication changes one component without changing the others.
func TestPatchApplication(t *testing.T) {
	e := startVela(t)
	app := e.application(t)
	e.mustRun(t, "patch-application", map[string]any{"component": "web", "image": "web:2", "properties": map[string]any{"a/b": "c"}}, updateOf(app))
	e.mustRun(t, "patch-application", map[string]any{"component": "db", "properties": map[string]any{"replicas": int64(2)}}, updateOf(app))
	components := field[[]any](t, e.get(t, app), "spec", "components")
	db, web := components[0].(map[string]any)["properties"].(map[string]any), components[1].(map[string]any)["properties"].(map[string]any)
	if web["image"] != "web:2" || web["port"] != int64(80) || web["a/b"] != "c" || db["replicas"] != int64(2) {
		t.Errorf("web is %v and db %v", web, db)
	}
}

// running returns the status of a workflow with one running step.
func running() map[string]any {
	return map[string]any{
		"mode": "StepByStep", "suspend": false, "terminated": false, "finished": false,
		"startTime": "2026-01-01T00:00:00Z",
		"steps": []any{
			map[string]any{"id": "1", "name": "a", "type": "x", "phase": "succeeded"},
			map[string]any{"id": "2", "name": "b", "type": "x", "phase": "running"},
		},
	}
}

// TestApplicationWorkflow suspends, resumes and restarts the workflow of an Application.
func TestApplicationWorkflow(t *testing.T) {
	e := startVela(t)
	app := e.application(t)
	if err := e.run(t, "suspend-workflow", nil, updateOf(app)); err == nil || action.IsTerminal(err) {
		t.Errorf("got %v, want a retriable error", err)
	}
	e.setStatus(t, app, map[string]any{"status": "runningWorkflow", "workflow": running()})
	expect := func(suspend bool, phase string) {
		t.Helper()
		w := field[map[string]any](t, e.get(t, app), "status", "workflow")
		steps := w["steps"].([]any)
		if first := steps[0].(map[string]any)["phase"]; w["suspend"] != suspend || first != "succeeded" {
			t.Errorf("suspend is %v and the first step %v", w["suspend"], first)
		}
		if second := steps[1].(map[string]any)["phase"]; second != phase {
			t.Errorf("the second step is %v, want %s", second, phase)
		}
	}
	for range 2 {
		e.mustRun(t, "suspend-workflow", nil, updateOf(app))
		expect(true, "suspending")
	}
	for range 2 {
		e.mustRun(t, "resume-workflow", nil, updateOf(app))
		expect(false, "running")
	}
	for range 2 {
		e.mustRun(t, "restart-workflow", nil, updateOf(app))
	}
	status := field[map[string]any](t, e.get(t, app), "status")
	if _, ok := status["workflow"]; ok || status["status"] != "runningWorkflow" {
		t.Errorf("status is %v", status)
	}
}

// TestWorkflowRun starts runs with each concurrency policy, and suspends and restarts
// one.
func TestWorkflowRun(t *testing.T) {
	e := startVela(t)
	cm := e.create(t, "v1", "ConfigMap", "settings", map[string]any{"data": map[string]any{"color": "blue"}})
	runs := func() []unstructured.Unstructured { return e.list(t, "core.oam.dev/v1alpha1", "WorkflowRun") }
	named := func(id string) map[string]any {
		return map[string]any{"workflow": "deploy", "name": id, "concurrency": "Forbid"}
	}
	for range 2 {
		e.mustRun(t, "start-workflow", named("first"), updateOf(cm))
	}
	if r := runs(); len(r) != 1 || field[string](t, &r[0], "spec", "context", "data", "data", "color") != "blue" {
		t.Fatalf("runs are %v", r)
	}
	other := updateOf(cm)
	other.ID += "-other"
	e.mustRun(t, "start-workflow", named("other"), other)
	if r := runs(); len(r) != 1 {
		t.Fatalf("%d runs, want only the first", len(r))
	}
	first := runs()[0]
	e.mustRun(t, "start-workflow", map[string]any{"steps": []any{map[string]any{"name": "s", "type": "suspend"}}, "name": "replacing", "concurrency": "Replace"}, other)
	r := runs()
	if len(r) != 1 || !strings.HasPrefix(r[0].GetName(), "replacing-") {
		t.Fatalf("runs are %v, want another than %s", r, first.GetName())
	}
	run := &r[0]
	status := running()
	status["mode"], status["status"] = map[string]any{}, "executing"
	e.setStatus(t, run, status)
	properties := map[string]any{"kind": "WorkflowRun"}
	e.mustRun(t, "suspend-workflow", properties, updateOf(run))
	if !field[bool](t, e.get(t, run), "status", "suspend") {
		t.Error("the run is not suspended")
	}
	e.mustRun(t, "restart-workflow", properties, updateOf(run))
	if _, ok := field[map[string]any](t, e.get(t, run), "status")["steps"]; ok {
		t.Error("the run has not been restarted")
	}
}

// TestWorkflowRun_Wait waits for a run, and fails if the run fails.
func TestWorkflowRun_Wait(t *testing.T) {
	e := startVela(t)
	cm := e.create(t, "v1", "ConfigMap", "settings", nil)
	for _, phase := range []string{"succeeded", "failed"} {
		t.Run(phase, func(t *testing.T) {
			properties := map[string]any{"workflow": "deploy", "name": phase, "wait": true}
			start := e.action(t, e.Client, "start-workflow", properties)
			short, cancel := context.WithCancel(t.Context())
			defer cancel()
			waiting := make(chan error, 1)
			go func() { waiting <- start.Run(short, updateOf(cm)) }()
			cluster.Eventually(t, "a run that is waited for", func(context.Context) error {
				for _, run := range e.list(t, "core.oam.dev/v1alpha1", "WorkflowRun") {
					if strings.HasPrefix(run.GetName(), phase) {
						return nil
					}
				}
				return errors.New("no run")
			})
			cancel()
			if err := <-waiting; err == nil || action.IsTerminal(err) {
				t.Errorf("got %v while it runs, want a retriable error", err)
			}
			for _, run := range e.list(t, "core.oam.dev/v1alpha1", "WorkflowRun") {
				if strings.HasPrefix(run.GetName(), phase) {
					e.setStatus(t, &run, map[string]any{
						"mode": map[string]any{}, "status": phase, "message": "step failed", "startTime": "2026-01-01T00:00:00Z",
						"suspend": false, "terminated": false, "finished": true,
					})
				}
			}
			end, cancel := context.WithTimeout(t.Context(), cluster.WaitTimeout)
			defer cancel()
			err := start.Run(end, updateOf(cm))
			if phase == "succeeded" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "is failed: step failed") {
				t.Errorf("got %v, want a terminal error with the message of the run", err)
			}
		})
	}
}
