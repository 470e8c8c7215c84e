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
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/pkg/source"
	triggers "github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// steps are definitions of workflow steps: copy copies the run's context to a ConfigMap,
// gate waits for a ConfigMap, and reject fails.
const steps = `
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {namespace: vela-system, name: copy}
spec:
  schematic:
    cue:
      template: |
        import "vela/kube"
        apply: kube.#Apply & {$params: value: {
          apiVersion: "v1"
          kind: "ConfigMap"
          metadata: {name: parameter.name, namespace: context.namespace}
          data: {color: context.data.data.color, trigger: context.trigger.name, type: context.event.type, team: context.team}
        }}
        parameter: name: string
---
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {namespace: vela-system, name: gate}
spec:
  schematic:
    cue:
      template: |
        import "vela/builtin"
        import "vela/kube"
        read: kube.#Read & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: parameter.name, namespace: context.namespace}}}
        wait: builtin.#ConditionalWait & {$params: continue: read.$returns.err == _|_}
        parameter: name: string
---
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {namespace: vela-system, name: reject}
spec:
  schematic:
    cue:
      template: |
        import "vela/builtin"
        fail: builtin.#Fail & {$params: message: parameter.why}
        parameter: why: string
`

// TestWorkflowRun tests the actions for WorkflowRuns with their controller, in one
// cluster, each in its own namespace.
func TestWorkflowRun(t *testing.T) {
	w := vela.StartWorkflow(t)
	w.Apply(t, steps)
	for name, test := range map[string]func(*testing.T, workflowRuns){
		"Start": startRun, "Failure": failedRun, "Forbid": forbidConcurrency, "Replace": replaceRun, "Suspend": suspendRun, "Restart": restartRun,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, workflowRuns{w, w.Namespace(t)})
		})
	}
}

// workflowRuns are the WorkflowRuns of a namespace.
type workflowRuns struct {
	*vela.Workflow
	namespace string
}

// runActions runs a trigger's actions, YAML, on an event about the ConfigMap "settings".
func (r workflowRuns) runActions(t *testing.T, id, actionsOf string) error {
	t.Helper()
	var spec v1alpha1.Trigger
	if err := yaml.UnmarshalStrict([]byte(actionsOf), &spec); err != nil {
		t.Fatal(err)
	}
	spec.Source.Type = "test"
	templates, err := triggers.BuiltIn(actions.FS)
	if err != nil {
		t.Fatal(err)
	}
	report, problems := action.Parse("report", `
import ("encoding/json", "vela/kube")
write: kube.#Apply & {$params: resource: {
	apiVersion: "v1", kind: "ConfigMap", metadata: {name: "report", namespace: context.trigger.namespace}
	data: result: json.Marshal(context.results.run)
}}`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	templates["report"] = triggers.Parsed(report)
	c := triggers.Compiler{
		Actions: templates,
		Executor: func(id event.TriggerRef) provider.Executor {
			return provider.New(provider.Options{Client: client.WithFieldOwner(r.Client, loopguard.FieldManager(id)), Namespace: id.Namespace})
		},
		Sources: source.Registry{"test": {Compile: func(map[string]any, source.Spec) (source.Subscription, diag.List) {
			return oneEvent{event.Event{
				Source: "test", Type: event.Update, ID: id, Key: r.namespace + "/settings", Time: time.Now(),
				Data: map[string]any{
					"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "settings", "namespace": r.namespace},
					"data": map[string]any{"color": "green"},
				},
			}}, nil
		}}},
	}
	compiled, problems := c.Compile(event.TriggerRef{Name: "starts", Namespace: r.namespace}, spec)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	outcome := make(decisions, 1)
	e, err := engine.New(engine.Options{Observer: outcome}, []engine.Trigger{compiled.Trigger})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), cluster.WaitTimeout)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// oneEvent is a source of one event.
type oneEvent struct{ ev event.Event }

func (oneEvent) Key() string                                     { return "test" }
func (oneEvent) UsesCheckpoint(string) bool                      { return false }
func (oneEvent) Watch() *source.Watch                            { return nil }
func (oneEvent) Skip(event.Event, source.Delivery) source.Reason { return "" }
func (e oneEvent) Open([]source.Subscription) source.Source      { return e }
func (e oneEvent) Run(ctx context.Context, sink source.Sink) error {
	if err := sink.Deliver(ctx, e.ev, source.Delivery{Done: func() {}}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// decisions receives the error of the first attempt; nil if it succeeded.
type decisions chan error

func (c decisions) Observe(d engine.Decision) {
	if d.Outcome != engine.Succeeded && d.Err == nil {
		return
	}
	select {
	case c <- d.Err:
	default:
	}
}

func (decisions) ObserveSource(engine.SourceFailure)        {}
func (decisions) ObserveDeadLetter(engine.DeadLetterResult) {}

// mustRunActions is like runActions. An error fails the test.
func (r workflowRuns) mustRunActions(t *testing.T, id, actionsOf string) {
	t.Helper()
	if err := r.runActions(t, id, actionsOf); err != nil {
		t.Fatal(err)
	}
}

func (r workflowRuns) configMap(name string) *unstructured.Unstructured {
	o := object("v1", "ConfigMap")
	o.SetNamespace(r.namespace)
	o.SetName(name)
	return o
}

// configMapData waits for a ConfigMap and returns its data.
func (r workflowRuns) configMapData(t *testing.T, name string) map[string]string {
	t.Helper()
	o := r.configMap(name)
	cluster.Eventually(t, "ConfigMap "+name, func(ctx context.Context) error {
		return r.Client.Get(ctx, client.ObjectKeyFromObject(o), o)
	})
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// list returns the WorkflowRuns of the namespace.
func (r workflowRuns) list(ctx context.Context) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("core.oam.dev/v1alpha1")
	list.SetKind("WorkflowRunList")
	err := r.Client.List(ctx, list, client.InNamespace(r.namespace))
	return list.Items, err
}

// status waits until the only WorkflowRun has a status, and returns the run.
func (r workflowRuns) status(t *testing.T, want string) unstructured.Unstructured {
	t.Helper()
	var run unstructured.Unstructured
	cluster.Eventually(t, "a WorkflowRun in status "+want, func(ctx context.Context) error {
		all, err := r.list(ctx)
		if err != nil {
			return err
		}
		if len(all) != 1 {
			return fmt.Errorf("got %d WorkflowRuns, want 1", len(all))
		}
		run = all[0]
		if got, _, _ := unstructured.NestedString(run.Object, "status", "status"); got != want {
			return fmt.Errorf("status %q: %v", got, run.Object["status"])
		}
		return nil
	})
	return run
}

// open creates the ConfigMap that a step of type gate waits for.
func (r workflowRuns) open(t *testing.T, gate string) {
	t.Helper()
	if err := r.Client.Create(t.Context(), r.configMap(gate)); err != nil {
		t.Fatal(err)
	}
}

// startRun tests that a run has the event in its context, and that its result is available
// to the next action.
func startRun(t *testing.T, r workflowRuns) {
	r.mustRunActions(t, "1", `
actions:
  - name: run
    type: start-workflow
    properties:
      wait: true
      context: {team: shop}
      steps: [{name: first, type: copy, properties: {name: copied}}]
  - type: report
`)
	if got, want := fmt.Sprint(r.configMapData(t, "copied")), "map[color:green team:shop trigger:starts type:update]"; got != want {
		t.Errorf("copied %s, want %s", got, want)
	}
	run := r.status(t, "succeeded")
	var result struct {
		Started                 bool
		Name, Namespace, Status string
		Steps                   []struct{ Name, Phase string }
	}
	text := r.configMapData(t, "report")["result"]
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		t.Fatal(err)
	}
	if !result.Started || result.Name != run.GetName() || result.Namespace != r.namespace || result.Status != "succeeded" ||
		len(result.Steps) != 1 || result.Steps[0].Name != "first" || result.Steps[0].Phase != "succeeded" {
		t.Errorf("got result %s", text)
	}
	// The same event starts no other run.
	r.mustRunActions(t, "1", `action: {type: start-workflow, properties: {steps: [{name: first, type: copy, properties: {name: copied}}]}}`)
	r.status(t, "succeeded")
}

// failedRun tests that a failed run is a terminal error.
func failedRun(t *testing.T, r workflowRuns) {
	err := r.runActions(t, "1", `action: {type: start-workflow, properties: {wait: true, steps: [{name: first, type: reject, properties: {why: rejected by the test}}]}}`)
	if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "is failed: step first: ") || !strings.Contains(err.Error(), "rejected by the test") {
		t.Errorf("got %v, want a terminal error with the reason", err)
	}
}

const gated = `
      steps:
        - {name: first, type: gate, properties: {name: open}}
        - {name: second, type: copy, properties: {name: copied}}
      context: {team: shop}
`

// forbidConcurrency tests that no run starts while another one is running.
func forbidConcurrency(t *testing.T, r workflowRuns) {
	start := `
actions:
  - name: run
    type: start-workflow
    properties:
      concurrency: Forbid` + gated + `
  - type: report
`
	r.mustRunActions(t, "1", start)
	first := r.status(t, "executing")
	r.mustRunActions(t, "2", start)
	if got := r.configMapData(t, "report")["result"]; !strings.Contains(got, `"started":false`) || !strings.Contains(got, first.GetName()) {
		t.Errorf("got result %s", got)
	}
	if again := r.status(t, "executing"); again.GetUID() != first.GetUID() {
		t.Error("the run was replaced")
	}
	r.open(t, "open")
	r.status(t, "succeeded")
	r.mustRunActions(t, "2", start)
	if all, err := r.list(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("got %d runs, %v, want 2", len(all), err)
	}
}

// replaceRun tests that another event replaces the running run.
func replaceRun(t *testing.T, r workflowRuns) {
	start := "action:\n    type: start-workflow\n    properties:\n      concurrency: Replace" + gated
	r.mustRunActions(t, "1", start)
	first := r.status(t, "executing")
	r.mustRunActions(t, "2", start)
	if second := r.status(t, "executing"); second.GetUID() == first.GetUID() {
		t.Error("the run was not replaced")
	}
	r.open(t, "open")
	r.status(t, "succeeded")
}

// suspendRun tests that a suspended run does not continue until it is resumed.
func suspendRun(t *testing.T, r workflowRuns) {
	r.mustRunActions(t, "1", "action:\n    type: start-workflow\n    properties:"+gated)
	run := r.status(t, "executing")
	actionFor := func(kind string) string {
		return fmt.Sprintf("action: {type: %s, properties: {kind: WorkflowRun, name: %s, namespace: %s}}", kind, run.GetName(), r.namespace)
	}
	// Conflicts with writes of the controller are retried.
	r.retryActions(t, actionFor("suspend-workflow"))
	r.status(t, "suspending")
	r.open(t, "open")
	// The change makes the controller reconcile the run.
	touch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"touched":"yes"}}}`))
	if err := r.Client.Patch(t.Context(), run.DeepCopy(), touch); err != nil {
		t.Fatal(err)
	}
	if again := r.status(t, "suspending"); again.GetAnnotations()["touched"] != "yes" {
		t.Errorf("annotations %v", again.GetAnnotations())
	}
	r.retryActions(t, actionFor("resume-workflow"))
	r.status(t, "succeeded")
	r.configMapData(t, "copied")
}

// retryActions runs actions until they succeed.
func (r workflowRuns) retryActions(t *testing.T, actionsOf string) {
	t.Helper()
	cluster.Eventually(t, actionsOf, func(context.Context) error {
		err := r.runActions(t, "1", actionsOf)
		if action.IsTerminal(err) {
			t.Fatal(err)
		}
		return err
	})
}

// restartRun tests that a finished run executes all steps again.
func restartRun(t *testing.T, r workflowRuns) {
	r.mustRunActions(t, "1", `action: {type: start-workflow, properties: {wait: true, context: {team: shop}, steps: [{name: first, type: copy, properties: {name: copied}}]}}`)
	run := r.status(t, "succeeded")
	r.configMapData(t, "copied")
	if err := r.Client.Delete(t.Context(), r.configMap("copied")); err != nil {
		t.Fatal(err)
	}
	r.retryActions(t, fmt.Sprintf("action: {type: restart-workflow, properties: {kind: WorkflowRun, name: %s}}", run.GetName()))
	r.configMapData(t, "copied")
	r.status(t, "succeeded")
}
