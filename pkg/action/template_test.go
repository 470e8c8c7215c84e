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
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// recorder is an Executor that records calls and returns the results of answer.
type recorder struct {
	mu     sync.Mutex
	calls  []provider.Call
	answer func(provider.Call) (provider.Result, error)
}

func (r *recorder) Execute(_ context.Context, c provider.Call) (provider.Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
	if r.answer == nil {
		return provider.Result{}, nil
	}
	return r.answer(c)
}

func (r *recorder) paths() []string {
	var paths []string
	for _, c := range r.calls {
		paths = append(paths, c.Path)
	}
	return paths
}

func compile(t *testing.T, source string, properties map[string]any, executor provider.Executor) *action.Action {
	t.Helper()
	tmpl, diags := action.Parse("test", source)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	a, diags := tmpl.Compile(action.Options{
		Trigger: event.Trigger{Name: "t", Namespace: "ns"}, Properties: properties, Executor: executor,
	})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return a
}

// run runs a once for configMap("c").
func run(t *testing.T, a *action.Action) error {
	t.Helper()
	_, err := a.Start(nil, nil)(t.Context(), configMap("c"))
	return err
}

func configMap(name string) event.Event {
	return event.Event{Source: "resource-watcher", Type: event.Update, Data: map[string]any{
		"kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "ns"},
		"data": map[string]any{"password": "canary-4711"},
	}}
}

func get(path string) string {
	return path + `: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "` + path + `"}}}` + "\n"
}

// TestRun_DependencyOrder executes calls after the calls that they refer to, not in
// the order of the template.
func TestRun_DependencyOrder(t *testing.T) {
	source := `import "vela/kube"
third: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: second.$returns.metadata.uid}}
second: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: "\(context.data.metadata.name)-\(first.$returns.metadata.uid)"}}
` + get("first")
	s := &recorder{answer: func(c provider.Call) (provider.Result, error) {
		return provider.Result{"$returns": map[string]any{"metadata": map[string]any{"uid": "uid-" + c.Path}}}, nil
	}}
	if err := run(t, compile(t, source, nil, s)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first", "second", "third"}, s.paths()); diff != "" {
		t.Error(diff)
	}
	want := map[string]any{"name": "c-uid-first"}
	if diff := cmp.Diff(want, s.calls[1].Params["resource"].(map[string]any)["metadata"]); diff != "" {
		t.Error(diff)
	}
}

// TestRun_Definition runs a template in the format of `vela def`.
func TestRun_Definition(t *testing.T) {
	source := `import "vela/kube"
"test": {
	type: "trigger-action"
	attributes: {}
}
template: {
	first: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: {name: parameter.name, namespace: context.data.metadata.namespace}}}
	second: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: first.$returns.metadata.uid}}
	parameter: name: *"x" | string
}`
	s := &recorder{answer: returnUID}
	if err := run(t, compile(t, source, map[string]any{"name": "y"}, s)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first", "second"}, s.paths()); diff != "" {
		t.Fatal(diff)
	}
	want := map[string]any{"name": "y", "namespace": "ns"}
	if diff := cmp.Diff(want, s.calls[0].Params["resource"].(map[string]any)["metadata"]); diff != "" {
		t.Error(diff)
	}
	template, _ := action.Parse("test", source)
	if _, problems := template.Compile(action.Options{Properties: map[string]any{"nam": "y"}}); len(problems) != 1 || problems[0].Path != "nam" {
		t.Errorf("problems of the properties: %v", problems)
	}
}

// TestRun_StepAttribute executes calls in the order of @step.
func TestRun_StepAttribute(t *testing.T) {
	source := `import "vela/kube"
` + strings.TrimSpace(get("a")) + " @step(2)\n" + strings.TrimSpace(get("b")) + " @step(1)\n"
	s := &recorder{}
	if err := run(t, compile(t, source, nil, s)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b", "a"}, s.paths()); diff != "" {
		t.Error(diff)
	}
}

// TestAction_Retry repeats reads but not the successful writes of an earlier attempt.
func TestAction_Retry(t *testing.T) {
	source := `import "vela/kube"
read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: "r"}}
patches: [for n in ["a", "b", "c"] {
	kube.#Patch & {$params: {
		resource: {apiVersion: "v1", kind: "X", metadata: name: n}
		patch: data: version: read.$returns.metadata.resourceVersion
	}}
}]`
	fail := true
	s := &recorder{answer: func(c provider.Call) (provider.Result, error) {
		if c.Path == "patches[1]" && fail {
			return nil, errors.New("out of order")
		}
		return provider.Result{"$returns": map[string]any{"metadata": map[string]any{"resourceVersion": "7"}}}, nil
	}}
	attempt := compile(t, source, nil, s).Start(nil, nil)
	if _, err := attempt(t.Context(), configMap("c")); err == nil || action.IsTerminal(err) {
		t.Fatalf("got %v, want an error that is not terminal", err)
	}
	fail = false
	if _, err := attempt(t.Context(), configMap("c")); err != nil {
		t.Fatal(err)
	}
	want := []string{"read", "patches[0]", "patches[1]", "read", "patches[1]", "patches[2]"}
	if diff := cmp.Diff(want, s.paths()); diff != "" {
		t.Error(diff)
	}
}

// TestRun_Conflict evaluates the template again after a conflict, and repeats only the
// failed write.
func TestRun_Conflict(t *testing.T) {
	source := `import "vela/kube"
` + get("read") + `
patch: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "X", metadata: name: "x"}
	patch: data: metadata: resourceVersion: read.$returns.metadata.resourceVersion
}}`
	version := 0
	s := &recorder{}
	s.answer = func(c provider.Call) (provider.Result, error) {
		if c.Do == "get" {
			version++
			return provider.Result{"$returns": map[string]any{"metadata": map[string]any{"resourceVersion": fmt.Sprint(version)}}}, nil
		}
		if version < 3 {
			return nil, apierrors.NewConflict(schema.GroupResource{Resource: "xs"}, "x", errors.New("changed"))
		}
		return provider.Result{}, nil
	}
	if err := run(t, compile(t, source, nil, s)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"read", "patch", "read", "patch", "read", "patch"}, s.paths()); diff != "" {
		t.Error(diff)
	}
}

// TestRun_Errors distinguishes terminal errors. No error contains data of the event.
func TestRun_Errors(t *testing.T) {
	group := schema.GroupResource{Resource: "things"}
	for _, tc := range []struct {
		name, source string
		answer       error
		terminal     bool
		want         string
	}{
		{"not found", get("a"), apierrors.NewNotFound(group, "a"), false, `a (kube.get): things "a" not found`},
		{"forbidden", get("a"), apierrors.NewForbidden(group, "a", errors.New("no")), false, "is forbidden: no"},
		// openshift/origin#3498, kubernetes/kubernetes#77651: the token is rotated.
		{"unauthorized", get("a"), apierrors.NewUnauthorized("Unauthorized"), false, "Unauthorized"},
		// kubernetes/kubernetes#88718: pods of other Jobs finish.
		{"quota", get("a"), apierrors.NewForbidden(group, "a", errors.New("exceeded quota: default, requested: pods=1, used: pods=9, limited: pods=9")), false, "exceeded quota"},
		// knative/docs#1036: the CRD is installed by the same manifest.
		{"no kind", get("a"), &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "eventing.knative.dev", Kind: "ClusterChannelProvisioner"}}, false, "no matches for kind"},
		// openkruise/kruise#1521: the pods of the webhook are not ready yet.
		{"webhook away", get("a"), apierrors.NewInternalError(errors.New(`failed calling webhook "mpod.kb.io": connection refused`)), false, "failed calling webhook"},
		{"exists", get("a"), apierrors.NewAlreadyExists(group, "a"), false, "already exists"},
		{"expired", get("a"), apierrors.NewResourceExpired("too old"), false, "too old"},
		{"bad request", get("a"), apierrors.NewBadRequest("wrong"), true, "wrong"},
		{"method", get("a"), apierrors.NewMethodNotSupported(group, "patch"), true, "not supported"},
		{"too large", get("a"), apierrors.NewRequestEntityTooLargeError("limit is 3145728"), true, "limit is 3145728"},
		{"media type", get("a"), apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "patch", group, "a", "media type is not supported", 0, false), true, "media type"},
		{"invalid", get("a"), apierrors.NewInvalid(schema.GroupKind{Kind: "Thing"}, "a", nil), true, "is invalid"},
		{"gone", get("a"), &provider.GoneError{Kind: "Thing", Object: types.NamespacedName{Name: "a"}, UID: "1"}, true, "does not exist any more"},
		{"too many requests", get("a"), apierrors.NewTooManyRequests("later", 1), false, "later"},
		{"server", get("a"), apierrors.NewInternalError(errors.New("boom")), false, "boom"},
		{"network", get("a"), errors.New("connection refused"), false, "connection refused"},
		{"absent", `a: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: context.data.status.name}}`, nil, true,
			`template "test":2:95: a.$params.resource.metadata.name: undefined field: status`},
		{"conflict", `a: kube.#Get & {$params: resource: {apiVersion: context.data.data.password & "v1", kind: "X"}}`, nil, true,
			`conflicting values`},
		{"params", get("a"), &provider.ParamError{Path: "x", Message: "is required"}, true, "$params.x: is required"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &recorder{answer: func(provider.Call) (provider.Result, error) { return provider.Result{}, tc.answer }}
			err := run(t, compile(t, "import \"vela/kube\"\n"+tc.source+"\n_used: kube\n", nil, s))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if action.IsTerminal(err) != tc.terminal {
				t.Errorf("%v: terminal is %v, want %v", err, !tc.terminal, tc.terminal)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("error contains the event's data: %v", err)
			}
		})
	}
}

// TestRun_ReturnsReferences fills in the returned fields that a template refers to, for
// every form of reference.
func TestRun_ReturnsReferences(t *testing.T) {
	for _, name := range []string{
		`a.$returns.metadata.uid`,
		`a["$returns"].metadata["uid"]`,
		`json.Marshal(a.$returns.metadata)`,
		`json.Marshal(a)`,
		`[for k, v in a if k == "$returns" {v.metadata.uid}][0]`,
		`[for x in [a] {json.Marshal(x)}][0]`,
		`all[0].$returns.metadata.uid`,
		`[for x in all {x.$returns.metadata.uid}][0]`,
		`[for x in all {json.Marshal(x)}][0]`,
		`conditional.$returns.metadata.uid`,
		`json.Marshal(conditional)`,
	} {
		source := `import (
	"encoding/json"
	"vela/kube"
)
` + get("a") + `all: [a]
conditional: {...}
if context.data.kind == "ConfigMap" {
	conditional: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: name: "b"}}
}
_used: json.Marshal
last: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: ` + name + `}}`
		var last string
		s := &recorder{answer: func(c provider.Call) (provider.Result, error) {
			if c.Path == "last" {
				last = fmt.Sprint(c.Params["resource"].(map[string]any)["metadata"])
			}
			return provider.Result{"$returns": map[string]any{"metadata": map[string]any{"uid": "the-uid", "null": nil}}}, nil
		}}
		if err := run(t, compile(t, source, nil, s)); err != nil || !strings.Contains(last, "the-uid") {
			t.Errorf("%s: got %q, %v", name, last, err)
		}
	}
}

// TestRun_ReturnsErr fails a call that returns `$returns.err`, unless the template
// refers to it.
func TestRun_ReturnsErr(t *testing.T) {
	const read = `import "vela/kube"
read: kube.#Read & {$params: value: {apiVersion: "v1", kind: "X", metadata: name: "x"}}
`
	s := &recorder{answer: func(provider.Call) (provider.Result, error) {
		return provider.Result{"$returns": map[string]any{"err": "gone"}}, nil
	}}
	if err := run(t, compile(t, read, nil, s)); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("got %v", err)
	}
	handled := read + `if read.$returns.err != _|_ {again: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: "y"}}}`
	s = &recorder{answer: func(c provider.Call) (provider.Result, error) {
		if c.HandlesErr != (c.Path == "read") {
			return nil, fmt.Errorf("%s: HandlesErr is %v", c.Path, c.HandlesErr)
		}
		return provider.Result{"$returns": map[string]any{"err": "gone"}}, nil
	}}
	err := run(t, compile(t, handled, nil, s))
	if err == nil || !slices.Equal(s.paths(), []string{"read", "again"}) {
		t.Errorf("got %v after %v", err, s.paths())
	}
}

// TestRun_Concurrent runs one action in many goroutines.
func TestRun_Concurrent(t *testing.T) {
	source := `import "vela/kube"
a: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: context.data.metadata.name}}
b: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: a.$returns.metadata.name + "-b"}}`
	s := &recorder{answer: func(c provider.Call) (provider.Result, error) {
		return provider.Result{"$returns": c.Params["resource"].(map[string]any)}, nil
	}}
	a := compile(t, source, nil, s)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := range 10 {
				if _, err := a.Start(nil, nil)(t.Context(), configMap(fmt.Sprintf("c-%d-%d", i, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, c := range s.calls {
		seen[c.Params["resource"].(map[string]any)["metadata"].(map[string]any)["name"].(string)]++
	}
	if len(seen) != 16*10*2 {
		t.Errorf("%d different calls, want %d", len(seen), 16*10*2)
	}
}

// TestParse_Diagnostics reports errors of a template before it runs.
func TestParse_Diagnostics(t *testing.T) {
	for _, tc := range []struct{ name, source, want string }{
		{"syntax", "parameter: {", "1:13: expected '}', found 'EOF'"},
		{"import", `import "vela/cube"`, `1:8: unknown package "vela/cube"; did you mean "vela/kube"?`},
		{"context", `a: context.date.name`, `1:12: context has no "date"`},
		{"function", "import \"vela/kube\"\na: kube.#Gett", `2:9: vela/kube has no "#Gett"; did you mean "#Get"?`},
		{"no function", `a: {#do: "nothing", #provider: "kube", $params: {}}`, `1:4: provider "kube" has no function "nothing"`},
		{"refused function", "import \"vela/builtin\"\na: builtin.#Suspend & {$params: duration: \"1m\"}", `2:4: builtin.#Suspend: an action cannot be suspended; start a workflow`},
		{"refused legacy function", "import \"vela/op\"\nif true {a: op.#DoVar & {path: \"x\"}}", `2:13: op.#DoVar: an action has no variables; `},
		{"refused without a package", `a: {#do: "var", #provider: "builtin", $params: {}}`, `1:4: builtin.var: an action has no variables; `},
		{"parameters", "import \"vela/kube\"\na: kube.#Get & {$params: resourc: {}}", `2:26: kube.#Get.$params has no "resourc"; did you mean "resource"?`},
		{"reference", "a: b.c", `1:4: unknown name "b"; a text needs double quotes: "b"`},
		{"panic of CUE", "a=0:a", "CUE cannot compile the template, and does not say where"},
		{"contradiction", "a: 1 & 2", `a: conflicting values 2 and 1`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, diags := action.Parse("test", tc.source)
			if !strings.Contains(diags.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", diags, tc.want)
			}
		})
	}
}

// FuzzParse parses and compiles arbitrary templates without a panic.
func FuzzParse(f *testing.F) {
	f.Add("import \"vela/kube\"\na: kube.#Get & {$params: resource: {}}\nparameter: {a?: string}")
	f.Add("parameter: parameter")
	f.Add("#parameter: {}\nparameter: #parameter\ncontext: {}")
	f.Fuzz(func(_ *testing.T, source string) {
		if tmpl, diags := action.Parse("fuzz", source); len(diags) == 0 {
			_, _ = tmpl.Compile(action.Options{Executor: &recorder{}})
		}
	})
}

// TestTemplate_CompileConcurrently compiles one template for several triggers at once, as the
// TriggerServices of a namespace do.
func TestTemplate_CompileConcurrently(t *testing.T) {
	tmpl, diags := action.Parse("test", `
import "vela/kube"

// Reads an object.
read: kube.#Read & {
	// The object.
	$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: name: parameter.name} // by name
}
// +usage=The name
parameter: name: string
`)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			if _, diags := tmpl.Compile(action.Options{Properties: map[string]any{"name": fmt.Sprint("n", i)}}); len(diags) > 0 {
				t.Error(diags)
			}
		})
	}
	running.Wait()
}
