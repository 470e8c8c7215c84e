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

package action_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

func TestTypeOf(t *testing.T) {
	for source, want := range map[string]string{
		"deploy: {type: \"workflow-step\"}\ntemplate: {}":  "step/x",
		"deploy: {type: \"trigger-action\"}\ntemplate: {}": "x",
		`import "vela/kube"`:                               "x",
		"broken: {":                                        "x",
	} {
		if got := action.TypeOf("x", source); got != want {
			t.Errorf("TypeOf(%q) = %q, want %q", source, got, want)
		}
	}
}

func TestParse_Steps(t *testing.T) {
	for _, c := range []struct{ name, action, source, want string }{
		{"definition", "step/x", `x: {type: "workflow-step", attributes: {a: 1}, labels: {}}
template: {nop: {}}`, ""},
		{"version", "step/x@v2", `x: {type: "workflow-step"}
template: {nop: {}}`, ""},
		{"other name", "step/y", `x: {type: "workflow-step"}
template: {nop: {}}`, `the definition is called "x", and the action "y"`},
		{"an action", "step/x", `x: {type: "trigger-action"}
template: {nop: {}}`, `a step is of type "workflow-step", not "trigger-action"`},
		{"as an action", "x", `x: {type: "workflow-step"}
template: {nop: {}}`, `an action is of type "trigger-action", not "workflow-step"`},
		{"unused import", "step/x", `import ("strings", "vela/op")
a: op.#Log & {data: "x"}`, ""},
		{"context", "step/x", `import "vela/op"
a: op.#Log & {data: "\(context.namespace) \(context.name) \(context.stepName) \(context.data.kind)"}`, ""},
		{"unknown context", "step/x", `import "vela/op"
a: op.#Log & {data: context.stepname}`, `context has no "stepname"; did you mean "stepName"?`},
		{"context of an action", "x", `import "vela/op"
a: op.#Log & {data: context.stepName}`, `context has no "stepName"`},
		{"no template", "step/x", " \n", "the definition has no template in CUE"},
		{"group", "step/step-group", `nop: {}`, "an action cannot be a group of steps"},
		{"component", "step/apply-component", `parameter: component: string`, "an action cannot apply a component"},
		{"suspend", "step/suspend", `import "vela/op"
a: op.#Suspend`, "op.#Suspend: an action cannot be suspended"},
		{"deploy", "step/deploy", `import "vela/op"
a: op.#Deploy & {policies: []}`, "op.#Deploy: an action cannot render an Application"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := action.Parse(c.action, c.source)
			if got := problems.Error(); len(problems) == 0 && c.want != "" || c.want == "" && len(problems) > 0 || !strings.Contains(got, c.want) {
				t.Errorf("problems: %q, want %q", got, c.want)
			}
		})
	}
}

// TestCompile_StepParameter: {} in the parameter of a step allows any fields, as in a workflow.
// Other properties that the parameter does not name are refused.
func TestCompile_StepParameter(t *testing.T) {
	tmpl, problems := action.Parse("step/x", `parameter: {data: {}, name?: string, nested?: {a: string}}`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		properties map[string]any
		want       string
	}{
		{map[string]any{"data": map[string]any{"a": "b"}}, ""},
		{map[string]any{"data": map[string]any{}, "nam": "b"}, "nam: unknown field"},
		{map[string]any{"data": map[string]any{}, "nested": map[string]any{"a": "b", "c": "d"}}, "nested.c: unknown field"},
	} {
		_, problems := tmpl.Compile(action.Options{Properties: c.properties})
		if got := problems.Error(); len(problems) == 0 && c.want != "" || c.want == "" && len(problems) > 0 || !strings.Contains(got, c.want) {
			t.Errorf("%v: problems %q, want %q", c.properties, got, c.want)
		}
	}
}

// stepEvent returns an event about an object of the kind.
func stepEvent(apiVersion, kind, name string) event.Event {
	return event.Event{ID: "uid@1", Data: map[string]any{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{"name": name, "annotations": map[string]any{"app.oam.dev/publishVersion": "v7"}},
	}}
}

// TestRun_StepContext gives a step what a workflow gives it.
func TestRun_StepContext(t *testing.T) {
	tmpl, problems := action.Parse("step/show", `import "vela/op"
a: op.#Log & {data: {
	name: context.name, namespace: context.namespace, publishVersion: context.publishVersion, workflowName: context.workflowName
	stepName: context.stepName, session: context.stepSessionID, span: context.spanID, kind: context.data.kind
}}`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	show := func(o action.Options, ev event.Event) map[string]any {
		t.Helper()
		s := &recorder{}
		o.Executor = s
		a, problems := tmpl.Compile(o)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if _, err := a.Start(nil, nil)(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
		data, _ := s.calls[0].Params["data"].(map[string]any)
		return data
	}
	of := event.Trigger{Name: "t", Namespace: "ns", Service: "service"}
	first := show(action.Options{Trigger: of}, stepEvent("v1", "ConfigMap", "c"))
	session, _ := first["session"].(string)
	if len(session) != 10 {
		t.Errorf("stepSessionID %q, want 10 digits", session)
	}
	want := map[string]any{
		"name": "service", "namespace": "ns", "publishVersion": "", "workflowName": "t", "stepName": "show",
		"session": session, "span": "t." + session, "kind": "ConfigMap",
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	if again := show(action.Options{Trigger: of}, stepEvent("v1", "ConfigMap", "c")); again["session"] != session {
		t.Errorf("session of the same event: %v, want %v", again["session"], session)
	}
	app := show(action.Options{Trigger: of, StepName: "second"}, stepEvent("core.oam.dev/v1beta1", "Application", "website"))
	want = maps.Clone(want)
	maps.Copy(want, map[string]any{"name": "website", "publishVersion": "v7", "stepName": "second", "kind": "Application"})
	if diff := cmp.Diff(want, app); diff != "" {
		t.Error(diff)
	}
	other := stepEvent("v1", "ConfigMap", "c")
	other.ID = "uid@2"
	if show(action.Options{Trigger: of}, other)["session"] == session {
		t.Error("another event has the same session")
	}
}

// TestRun_StepResult returns what a step outputs.
func TestRun_StepResult(t *testing.T) {
	answer := func(c provider.Call) (provider.Result, error) {
		object := map[string]any{"data": map[string]any{"a": "b"}}
		if c.Provider == "op" {
			return provider.Result{"value": object}, nil
		}
		return provider.Result{"$returns": map[string]any{"value": object}}, nil
	}
	legacy := `output: op.#Read & {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "x", namespace: "y"}}}`
	for _, c := range []struct {
		name, source string
		want         any
	}{
		{"outputs", "import \"vela/op\"\n" + legacy + "\noutputs: letter: output.value.data.a", map[string]any{"letter": "b"}},
		{"output", "import \"vela/kube\"\noutput: kube.#Read & {$params: value: {apiVersion: \"v1\", kind: \"ConfigMap\", metadata: {name: \"x\", namespace: \"y\"}}}",
			map[string]any{"value": map[string]any{"data": map[string]any{"a": "b"}}}},
		{"output of vela/op", "import \"vela/op\"\n" + legacy, map[string]any{"cluster": "", "value": map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x", "namespace": "y"}, "data": map[string]any{"a": "b"},
		}}},
		{"own result", "result: 1\noutput: 2", int64(1)},
		{"plain output", "output: 2", int64(2)},
		{"none", "a: 2", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmpl, problems := action.Parse("step/x", c.source)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			s := &recorder{answer: answer}
			a, problems := tmpl.Compile(action.Options{Executor: s, EvaluateResult: true})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			got, err := a.Start(nil, nil)(t.Context(), event.Event{ID: "1"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if paths := s.paths(); len(paths) > 1 || len(slices.Compact(paths)) != len(paths) {
				t.Errorf("calls %v, want each once", paths)
			}
		})
	}
}

// TestRun_StepWaits runs a step again until its condition is met. What it has sent is not sent
// again; what it reads and the objects that it wrote are read again.
func TestRun_StepWaits(t *testing.T) {
	tmpl, problems := action.Parse("step/x", `import "vela/op"
post: op.#HTTPPost & {url: "http://a"}
job: op.#Apply & {value: {apiVersion: "batch/v1", kind: "Job", metadata: {name: "j", namespace: "ns"}}}
get: op.#HTTPGet & {url: "http://b"}
fail: op.#Steps & {
	if job.value.status.failed != _|_ {
		broken: op.#Fail & {message: "the job failed"}
	}
}
wait: op.#ConditionalWait & {continue: job.value.status.succeeded == 1, message: "the job runs"}
done: op.#HTTPPut & {url: "http://c", request: body: "x"}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var status map[string]any
	s := &recorder{answer: func(c provider.Call) (provider.Result, error) {
		switch c.Provider + "." + c.Do {
		case "op.apply", "kube.get":
			object := map[string]any{"apiVersion": "batch/v1", "kind": "Job", "metadata": map[string]any{"name": "j", "namespace": "ns"}}
			if status != nil {
				object["status"] = status
			}
			if c.Do == "get" {
				return provider.Result{"$returns": object}, nil
			}
			return provider.Result{"value": object}, nil
		case "op.wait":
			return provider.New(provider.Options{}).Execute(t.Context(), c)
		}
		return provider.Result{"response": map[string]any{"statusCode": 200, "body": ""}}, nil
	}}
	a, problems := tmpl.Compile(action.Options{Executor: s})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	run := a.Start(nil, nil)
	var since time.Time
	for _, c := range []struct {
		name   string
		status map[string]any
		calls  string
		err    string
	}{
		{"first", nil, "post.do job.apply get.do wait.wait", "wait (op.wait): the condition is not met yet"},
		{"again", map[string]any{"active": int64(1)}, "job.get get.do wait.wait", "wait (op.wait): the condition is not met yet"},
		{"unmet", map[string]any{"succeeded": int64(0)}, "job.get get.do wait.wait", "wait (op.wait): the job runs"},
		{"met", map[string]any{"succeeded": int64(1)}, "job.get get.do wait.wait done.do", ""},
	} {
		status, s.calls = c.status, nil
		_, err := run(t.Context(), event.Event{ID: "1"})
		var calls []string
		for _, call := range s.calls {
			calls = append(calls, call.Path+"."+call.Do)
		}
		if got := strings.Join(calls, " "); got != c.calls {
			t.Errorf("%s: calls %s, want %s", c.name, got, c.calls)
		}
		if c.err == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		waiting, ok := err.(interface{ WaitingSince() time.Time })
		if !ok || err.Error() != c.err || action.IsTerminal(err) {
			t.Fatalf("%s: error %v, want one that waits: %s", c.name, err, c.err)
		}
		if !since.IsZero() && !waiting.WaitingSince().Equal(since) {
			t.Errorf("%s: waits since %s, want %s", c.name, waiting.WaitingSince(), since)
		}
		since = waiting.WaitingSince()
	}
}

// TestRun_StepFails ends a step for good: the template fails it while it waits, or the object
// that it wrote is deleted.
func TestRun_StepFails(t *testing.T) {
	tmpl, problems := action.Parse("step/x", `import ("vela/kube", "vela/builtin")
job: kube.#Apply & {$params: resource: {apiVersion: "batch/v1", kind: "Job", metadata: {name: "j", namespace: "ns"}}}
if job.$returns.status.failed != _|_ {
	fail: builtin.#Fail & {$params: message: "the job failed"}
}
wait: builtin.#ConditionalWait & {$params: continue: job.$returns.status.succeeded == 1}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		name   string
		status map[string]any
		gone   bool
		want   string
	}{
		{"failed", map[string]any{"failed": int64(1)}, false, "fail (builtin.fail): the job failed"},
		{"deleted", nil, true, "job (kube.apply): Job j was deleted while the action waited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			builtin := provider.New(provider.Options{})
			s := &recorder{answer: func(call provider.Call) (provider.Result, error) {
				object := map[string]any{"apiVersion": "batch/v1", "kind": "Job", "metadata": map[string]any{"name": "j", "namespace": "ns"}}
				switch {
				case call.Do == "fail":
					return nil, &provider.FailedError{Message: "the job failed"}
				case call.Provider == "builtin":
					return builtin.Execute(t.Context(), call)
				case call.Do == "get" && c.gone:
					return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "jobs"}, "j")
				case call.Do == "get":
					object["status"] = c.status
				}
				return provider.Result{"$returns": object}, nil
			}}
			a, problems := tmpl.Compile(action.Options{Executor: s})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			run := a.Start(nil, nil)
			if _, err := run(t.Context(), event.Event{ID: "1"}); err == nil || action.IsTerminal(err) {
				t.Fatalf("first run: %v, want that it waits", err)
			}
			_, err := run(t.Context(), event.Event{ID: "1"})
			if err == nil || !action.IsTerminal(err) || err.Error() != c.want {
				t.Errorf("error %v, want the terminal %s", err, c.want)
			}
		})
	}
}

// TestRun_ActionDoesNotWait: a condition of an ordinary action fails its attempt.
func TestRun_ActionDoesNotWait(t *testing.T) {
	a := compile(t, `import "vela/builtin"
wait: builtin.#ConditionalWait & {$params: {continue: false, message: "later"}}`, nil, provider.New(provider.Options{}))
	_, err := a.Start(nil, nil)(t.Context(), event.Event{ID: "1"})
	var waiting interface{ WaitingSince() time.Time }
	if err == nil || err.Error() != "wait (builtin.wait): later" || errors.As(err, &waiting) || action.IsTerminal(err) {
		t.Errorf("error %v, want one that is retried", err)
	}
}

// fakeProgress is a Progress in memory.
type fakeProgress map[string][]byte

func (p fakeProgress) Load(_ context.Context, key string) ([]byte, error) { return p[key], nil }

func (p fakeProgress) Save(_ context.Context, key string, data []byte, _ time.Time) error {
	p[key] = data
	return nil
}

// TestRun_StepResumes: another process goes on where one has ended. What is stored has no values
// of Secrets, and of objects only what identifies them.
func TestRun_StepResumes(t *testing.T) {
	const canary = "canary-4711"
	tmpl, problems := action.Parse("step/x", `import ("vela/http", "vela/kube", "vela/builtin")
read: kube.#Read & {$params: value: {apiVersion: "v1", kind: "Secret", metadata: {name: "token", namespace: "ns"}}}
post: http.#HTTPPost & {$params: {url: "http://a", request: body: read.$returns.value.data.token}}
echo: http.#HTTPPost & {$params: {url: "http://b", request: body: "\(post.$returns.statusCode)"}}
job: kube.#Apply & {$params: resource: {apiVersion: "batch/v1", kind: "Job", metadata: {name: "j", namespace: "ns"}, spec: note: read.$returns.value.data.token}}
wait: builtin.#ConditionalWait & {$params: continue: job.$returns.status.succeeded == 1}
outputs: {status: post.$returns.statusCode, done: job.$returns.status.succeeded}
parameter: a?: string
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var succeeded any
	builtin := provider.New(provider.Options{})
	s := &recorder{answer: func(c provider.Call) (provider.Result, error) {
		switch {
		case c.Provider == "builtin":
			return builtin.Execute(t.Context(), c)
		case c.Do == "read":
			return provider.Result{"$returns": map[string]any{"value": map[string]any{"apiVersion": "v1", "kind": "Secret", "data": map[string]any{"token": canary}}}}, nil
		case c.Provider == "http":
			return provider.Result{"$returns": map[string]any{"statusCode": int64(202), "body": "you sent " + canary}}, nil
		}
		job := map[string]any{
			"apiVersion": "batch/v1", "kind": "Job", "metadata": map[string]any{"name": "j", "namespace": "ns"}, "spec": map[string]any{"note": canary},
		}
		if succeeded != nil {
			job["status"] = map[string]any{"succeeded": succeeded}
		}
		return provider.Result{"$returns": job}, nil
	}}
	progress, replay := fakeProgress{}, ""
	start := func(properties map[string]any) (*action.Action, func() (any, error)) {
		t.Helper()
		a, problems := tmpl.Compile(action.Options{Executor: s, Progress: progress, EvaluateResult: true, Properties: properties})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		run := a.Start(nil, nil)
		return a, func() (any, error) {
			s.calls = nil
			return run(t.Context(), event.Event{ID: "1", Replay: replay})
		}
	}
	_, run := start(nil)
	_, err := run()
	first, ok := err.(interface{ WaitingSince() time.Time })
	if !ok {
		t.Fatalf("error %v, want that the step waits", err)
	}
	if len(progress) != 1 {
		t.Fatalf("%d values, want one", len(progress))
	}
	for _, data := range progress {
		if text := string(data); strings.Contains(text, canary) || strings.Contains(text, "spec") || !strings.Contains(text, "202") {
			t.Errorf("stored: %s", text)
		}
	}

	succeeded = int64(1)
	_, run = start(nil)
	got, err := run()
	if err != nil {
		t.Fatal(err)
	}
	if want := "read job wait"; strings.Join(s.paths(), " ") != want {
		t.Errorf("calls %v, want %s", s.paths(), want)
	}
	if diff := cmp.Diff(any(map[string]any{"status": int64(202), "done": int64(1)}), got); diff != "" {
		t.Error(diff)
	}

	succeeded = nil
	_, run = start(nil)
	_, err = run()
	if again, ok := err.(interface{ WaitingSince() time.Time }); !ok || !again.WaitingSince().Equal(first.WaitingSince()) {
		t.Errorf("error %v, want that the step waits since %s", err, first.WaitingSince())
	}
	_, run = start(map[string]any{"a": "changed"})
	if _, err = run(); len(s.calls) != 5 {
		t.Errorf("with other properties: calls %v, %v, want all", s.paths(), err)
	}
	_, run = start(nil)
	replay = "2026-01-02T03:04:05Z"
	if _, err = run(); len(s.calls) != 5 {
		t.Errorf("a replay: calls %v, %v, want all", s.paths(), err)
	}
	_, run = start(nil)
	if _, err = run(); len(s.calls) != 3 {
		t.Errorf("a replay after a restart: calls %v, %v, want that the step waits", s.paths(), err)
	}
}

// TestRun_StepListGrows: the API server adds to a list of the object that a step applies, and
// changes values in it. What the template refers to is in the result.
func TestRun_StepListGrows(t *testing.T) {
	tmpl, problems := action.Parse("step/x", `import "vela/op"
pod: op.#Apply & {value: {apiVersion: "v1", kind: "Pod", metadata: {name: "p", namespace: "ns"}, spec: {image: "a", mounts: [{name: "m"}], volumes: ["v"]}}}
log: op.#Log & {data: "\(pod.value.status.phase) \(pod.value.spec.node) \(pod.value.spec.image) \(pod.value.spec.mounts[0].readOnly) \(len(pod.value.spec.volumes))"}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := &recorder{answer: func(c provider.Call) (provider.Result, error) {
		if c.Do != "apply" {
			return provider.Result{}, nil
		}
		return provider.Result{"value": map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p", "namespace": "ns"},
			"spec": map[string]any{
				"node": "n", "image": "docker.io/a", "mounts": []any{map[string]any{"name": "m", "readOnly": true}}, "volumes": []any{"v", "token"},
			},
			"status": map[string]any{"phase": "Running"},
		}}, nil
	}}
	a, problems := tmpl.Compile(action.Options{Executor: s})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, err := a.Start(nil, nil)(t.Context(), event.Event{ID: "1"}); err != nil {
		t.Fatal(err)
	}
	if want := "Running n a true 1"; s.calls[1].Params["data"] != want {
		t.Errorf("data %v, want %s", s.calls[1].Params["data"], want)
	}
}
