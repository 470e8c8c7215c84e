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

// applicationWorkflow: what vela-core runs of an Application's workflow is
// suspended, resumed and restarted.
func applicationWorkflow(t *testing.T, k env) {
	ns := k.Namespace(t)
	r := workflowRuns{&vela.Workflow{Cluster: k.Cluster, Client: k.Client}, ns}
	k.Apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {namespace: %s, name: await}
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
      - {name: wait, type: await, properties: {name: open}}
      - {name: deploy, type: apply-component, properties: {component: settings}}
`))
	act := func(kind string) {
		t.Helper()
		r.eventually(t, fmt.Sprintf("action: {type: %s, properties: {name: staged, namespace: %s}}", kind, ns))
	}
	k.phase(t, ns, "staged", "runningWorkflow")
	act("suspend-workflow")
	k.phase(t, ns, "staged", "workflowSuspending")
	r.open(t, "open")
	act("resume-workflow")
	first := k.phase(t, ns, "staged", "running")
	r.configMapData(t, "deployed")

	act("restart-workflow")
	cluster.Eventually(t, "another run of the workflow", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: ns, Name: "staged"}, app); err != nil {
			return err
		}
		began, finished := run(app)
		if before, _ := run(first); began == before || !finished {
			return fmt.Errorf("status %v", app.Object["status"])
		}
		return nil
	})
}

// run returns when the workflow of an Application began, and whether it has ended.
func run(app *unstructured.Unstructured) (began string, finished bool) {
	began, _, _ = unstructured.NestedString(app.Object, "status", "workflow", "startTime")
	finished, _, _ = unstructured.NestedBool(app.Object, "status", "workflow", "finished")
	return began, finished
}

// phase waits until an Application is in a phase, and returns it.
func (k env) phase(t *testing.T, namespace, name, want string) *unstructured.Unstructured {
	t.Helper()
	app := object("core.oam.dev/v1beta1", "Application")
	cluster.Eventually(t, fmt.Sprintf("Application %s is %s", name, want), func(ctx context.Context) error {
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, app); err != nil {
			return err
		}
		if got, _, _ := unstructured.NestedString(app.Object, "status", "status"); got != want {
			return fmt.Errorf("it is %q: %v", got, app.Object["status"])
		}
		return nil
	})
	return app
}
