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
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/egress"
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

// steps are definitions of workflow steps: copy writes values of the run's context to a
// ConfigMap, wait-for-object waits until a ConfigMap exists, and reject fails.
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
metadata: {namespace: vela-system, name: wait-for-object}
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
        fail: builtin.#Fail & {$params: message: parameter.message}
        parameter: message: string
`

// TestWorkflowRun tests the actions for WorkflowRuns. Its subtests use one cluster, and
// separate namespaces.
func TestWorkflowRun(t *testing.T) {
	w := vela.StartWorkflow(t)
	w.Apply(t, steps)
	for name, test := range map[string]func(*testing.T, workflowRuns){
		"Start": startRun, "Failure": failedRun, "Forbid": forbidConcurrency, "Replace": replaceRun, "Suspend": suspendRun, "Restart": restartRun,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, workflowRuns{Workflow: w, namespace: w.Namespace(t)})
		})
	}
}

// workflowRuns are the WorkflowRuns of a namespace.
type workflowRuns struct {
	*vela.Workflow
	namespace string
	// steps are the workflow steps that are actions.
	steps map[string]triggers.Template
	// object is the object of the event; that of the ConfigMap "settings" if it is nil.
	object map[string]any
}

// runActions runs the actions of a trigger, in YAML, with an update event of the ConfigMap
// "settings". id is the ID of the event.
func (r workflowRuns) runActions(t *testing.T, id, actionsYAML string) error {
	t.Helper()
	var spec v1alpha1.Trigger
	if err := yaml.UnmarshalStrict([]byte(actionsYAML), &spec); err != nil {
		t.Fatal(err)
	}
	spec.Source.Type = "test"
	templates, err := triggers.BuiltIn(actions.FS)
	if err != nil {
		t.Fatal(err)
	}
	report, diags := action.Parse("report", `
import ("encoding/json", "vela/kube")
write: kube.#Apply & {$params: resource: {
	apiVersion: "v1", kind: "ConfigMap", metadata: {name: "report", namespace: context.trigger.namespace}
	data: result: json.Marshal(context.results.run)
}}`)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	templates["report"] = triggers.Parsed(report)
	maps.Copy(templates, r.steps)
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer out.Close()
	data := r.object
	if data == nil {
		data = map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "settings", "namespace": r.namespace},
			"data": map[string]any{"color": "green"},
		}
	}
	c := triggers.Compiler{
		Actions: templates,
		Executor: func(id event.TriggerRef) provider.Executor {
			return provider.New(provider.Options{Client: client.WithFieldOwner(r.Client, loopguard.FieldManager(id)), Namespace: id.Namespace, Egress: out})
		},
		Sources: source.Registry{"test": {Compile: func(map[string]any, source.Spec) (source.Subscription, diag.List) {
			return oneEvent{event.Event{
				Source: "test", Type: event.Update, ID: id, Key: r.namespace + "/settings", Time: time.Now(), Data: data,
			}}, nil
		}}},
	}
	compiled, diags := c.Compile(event.TriggerRef{Name: "starts", Namespace: r.namespace}, spec)
	if len(diags) > 0 {
		t.Fatal(diags)
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

// decisions receives the error of the first attempt that does not wait; nil if it succeeded.
type decisions chan error

func (c decisions) Observe(d engine.Decision) {
	if d.Outcome != engine.Succeeded && (d.Err == nil || d.Outcome == engine.Waiting) {
		return
	}
	select {
	case c <- d.Err:
	default:
	}
}

func (decisions) ObserveSource(engine.SourceFailure)        {}
func (decisions) ObserveDeadLetter(engine.DeadLetterResult) {}

// mustRunActions is like runActions, and fails the test if runActions returns an error.
func (r workflowRuns) mustRunActions(t *testing.T, id, actionsYAML string) {
	t.Helper()
	if err := r.runActions(t, id, actionsYAML); err != nil {
		t.Fatal(err)
	}
}

// configMap returns a ConfigMap of the namespace, without data.
func (r workflowRuns) configMap(name string) *unstructured.Unstructured {
	o := object("v1", "ConfigMap")
	o.SetNamespace(r.namespace)
	o.SetName(name)
	return o
}

// configMapData waits until a ConfigMap exists, and returns its data.
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

// waitForStatus waits until the namespace contains exactly one WorkflowRun and the run has
// the status want, and returns the run.
func (r workflowRuns) waitForStatus(t *testing.T, want string) unstructured.Unstructured {
	t.Helper()
	var run unstructured.Unstructured
	cluster.Eventually(t, "one WorkflowRun in status "+want, func(ctx context.Context) error {
		all, err := r.list(ctx)
		if err != nil {
			return err
		}
		if len(all) != 1 {
			return fmt.Errorf("got %d WorkflowRuns, want 1", len(all))
		}
		run = all[0]
		if got, _, _ := unstructured.NestedString(run.Object, "status", "status"); got != want {
			return fmt.Errorf("got status %q: %v", got, run.Object["status"])
		}
		return nil
	})
	return run
}

// createConfigMap creates a ConfigMap. A step of type wait-for-object waits for it.
func (r workflowRuns) createConfigMap(t *testing.T, name string) {
	t.Helper()
	if err := r.Client.Create(t.Context(), r.configMap(name)); err != nil {
		t.Fatal(err)
	}
}

// startRun tests that the context of a run contains the event, that the next action can use
// the result of the run, and that an event starts at most one run.
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
		t.Errorf("data of ConfigMap copied: got %s, want %s", got, want)
	}
	run := r.waitForStatus(t, "succeeded")
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
		t.Errorf("got result %s, want that of the succeeded run %s", text, run.GetName())
	}
	// The same event starts no second run.
	r.mustRunActions(t, "1", `action: {type: start-workflow, properties: {steps: [{name: first, type: copy, properties: {name: copied}}]}}`)
	r.waitForStatus(t, "succeeded")
}

// failedRun tests that the action returns a terminal error if the run fails.
func failedRun(t *testing.T, r workflowRuns) {
	err := r.runActions(t, "1", `action: {type: start-workflow, properties: {wait: true, steps: [{name: first, type: reject, properties: {message: rejected by the test}}]}}`)
	if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "is failed: step first: ") || !strings.Contains(err.Error(), "rejected by the test") {
		t.Errorf("got %v, want a terminal error with the reason", err)
	}
}

// waitingRun contains properties of start-workflow. The run waits for the ConfigMap "open".
const waitingRun = `
      steps:
        - {name: first, type: wait-for-object, properties: {name: open}}
        - {name: second, type: copy, properties: {name: copied}}
      context: {team: shop}
`

// forbidConcurrency tests that no run starts while another run is executing.
func forbidConcurrency(t *testing.T, r workflowRuns) {
	start := `
actions:
  - name: run
    type: start-workflow
    properties:
      concurrency: Forbid` + waitingRun + `
  - type: report
`
	r.mustRunActions(t, "1", start)
	first := r.waitForStatus(t, "executing")
	r.mustRunActions(t, "2", start)
	if got := r.configMapData(t, "report")["result"]; !strings.Contains(got, `"started":false`) || !strings.Contains(got, first.GetName()) {
		t.Errorf("got result %s, want started false and the name of run %s", got, first.GetName())
	}
	if again := r.waitForStatus(t, "executing"); again.GetUID() != first.GetUID() {
		t.Error("got another run, want the first one")
	}
	r.createConfigMap(t, "open")
	r.waitForStatus(t, "succeeded")
	r.mustRunActions(t, "2", start)
	if all, err := r.list(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("got %d runs and error %v, want 2 runs", len(all), err)
	}
}

// replaceRun tests that a second event replaces the executing run.
func replaceRun(t *testing.T, r workflowRuns) {
	start := "action:\n    type: start-workflow\n    properties:\n      concurrency: Replace" + waitingRun
	r.mustRunActions(t, "1", start)
	first := r.waitForStatus(t, "executing")
	r.mustRunActions(t, "2", start)
	if second := r.waitForStatus(t, "executing"); second.GetUID() == first.GetUID() {
		t.Error("got the first run, want another one")
	}
	r.createConfigMap(t, "open")
	r.waitForStatus(t, "succeeded")
}

// suspendRun tests that a suspended run continues only after it is resumed.
func suspendRun(t *testing.T, r workflowRuns) {
	r.mustRunActions(t, "1", "action:\n    type: start-workflow\n    properties:"+waitingRun)
	run := r.waitForStatus(t, "executing")
	actionFor := func(kind string) string {
		return fmt.Sprintf("action: {type: %s, properties: {kind: WorkflowRun, name: %s, namespace: %s}}", kind, run.GetName(), r.namespace)
	}
	// Conflicts with writes of the controller are retryable errors.
	r.retryActions(t, actionFor("suspend-workflow"))
	r.waitForStatus(t, "suspending")
	r.createConfigMap(t, "open")
	// The change makes the controller reconcile the run.
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"changed":"yes"}}}`))
	if err := r.Client.Patch(t.Context(), run.DeepCopy(), patch); err != nil {
		t.Fatal(err)
	}
	if again := r.waitForStatus(t, "suspending"); again.GetAnnotations()["changed"] != "yes" {
		t.Errorf("got annotations %v, want changed=yes", again.GetAnnotations())
	}
	r.retryActions(t, actionFor("resume-workflow"))
	r.waitForStatus(t, "succeeded")
	r.configMapData(t, "copied")
}

// retryActions runs actions until they succeed. A terminal error fails the test.
func (r workflowRuns) retryActions(t *testing.T, actionsYAML string) {
	t.Helper()
	cluster.Eventually(t, "success of "+actionsYAML, func(context.Context) error {
		err := r.runActions(t, "1", actionsYAML)
		if action.IsTerminal(err) {
			t.Fatal(err)
		}
		return err
	})
}

// restartRun tests that a restarted run executes its steps again.
func restartRun(t *testing.T, r workflowRuns) {
	r.mustRunActions(t, "1", `action: {type: start-workflow, properties: {wait: true, context: {team: shop}, steps: [{name: first, type: copy, properties: {name: copied}}]}}`)
	run := r.waitForStatus(t, "succeeded")
	r.configMapData(t, "copied")
	if err := r.Client.Delete(t.Context(), r.configMap("copied")); err != nil {
		t.Fatal(err)
	}
	r.retryActions(t, fmt.Sprintf("action: {type: restart-workflow, properties: {kind: WorkflowRun, name: %s}}", run.GetName()))
	r.configMapData(t, "copied")
	r.waitForStatus(t, "succeeded")
}
