//go:build kubevela

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

package vela_test

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// applicationWorkflow tests the actions that suspend, resume and restart the workflow of an
// Application.
func applicationWorkflow(t *testing.T, k env) {
	ns := k.Namespace(t)
	r := workflowRuns{Workflow: &vela.Workflow{Cluster: k.Cluster, Client: k.Client}, namespace: ns}
	k.Apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {namespace: %s, name: wait-for-object}
spec:
  schematic:
    cue:
      template: |
        import "vela/op"
        read: op.#Read & {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: parameter.name, namespace: context.namespace}}}
        wait: op.#ConditionalWait & {continue: read.err == _|_}
        parameter: name: string
`, ns))
	k.Apply(t, application(ns, "staged", `
    - name: settings
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: deployed}, data: {color: blue}}]}
  workflow:
    steps:
      - {name: wait, type: wait-for-object, properties: {name: open}}
      - {name: deploy, type: apply-component, properties: {component: settings}}
`))
	runAction := func(kind string) {
		t.Helper()
		r.retryActions(t, fmt.Sprintf("action: {type: %s, properties: {name: staged, namespace: %s}}", kind, ns))
	}
	k.waitForPhase(t, ns, "staged", "runningWorkflow")
	runAction("suspend-workflow")
	k.waitForPhase(t, ns, "staged", "workflowSuspending")
	r.createConfigMap(t, "open")
	runAction("resume-workflow")
	first := k.waitForPhase(t, ns, "staged", "running")
	r.configMapData(t, "deployed")

	runAction("restart-workflow")
	cluster.Eventually(t, "another finished run of the workflow", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: ns, Name: "staged"}, app); err != nil {
			return err
		}
		run, finished := workflowRun(app)
		if before, _ := workflowRun(first); run == before || !finished {
			return fmt.Errorf("got status %v", app.Object["status"])
		}
		return nil
	})
}

// workflowRun returns the ID of the first step of an Application's workflow, which
// differs between runs (times of status have seconds only), and reports whether the
// workflow is finished.
func workflowRun(app *unstructured.Unstructured) (id string, finished bool) {
	steps, _, _ := unstructured.NestedSlice(app.Object, "status", "workflow", "steps")
	if len(steps) > 0 {
		step, _ := steps[0].(map[string]any)
		id, _ = step["id"].(string)
	}
	finished, _, _ = unstructured.NestedBool(app.Object, "status", "workflow", "finished")
	return id, finished
}

// waitForPhase waits until an Application is in phase want, and returns the Application.
func (k env) waitForPhase(t *testing.T, namespace, name, want string) *unstructured.Unstructured {
	t.Helper()
	app := object("core.oam.dev/v1beta1", "Application")
	cluster.Eventually(t, fmt.Sprintf("Application %s in phase %s", name, want), func(ctx context.Context) error {
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, app); err != nil {
			return err
		}
		if got, _, _ := unstructured.NestedString(app.Object, "status", "status"); got != want {
			return fmt.Errorf("got phase %q: status %v", got, app.Object["status"])
		}
		return nil
	})
	return app
}
