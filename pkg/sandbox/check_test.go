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

package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/program"
)

// TestMain also runs this program as the child.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	var err error
	switch os.Args[1] {
	case "serve":
		err = local().Serve(context.Background(), os.Stdin, os.Stdout)
	case "steps":
		err = sandbox.Serve(os.Stdin, os.Stdout, filters)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func local() sandbox.Local {
	builtIn, _ := trigger.BuiltIn(actions.FS)
	return sandbox.Local{Sources: source.Registry{resource.Type: resource.New(resource.Options{})}, BuiltIn: builtIn}
}

// checkers returns Checkers that must return equal reports.
func checkers() map[string]sandbox.Checker {
	return map[string]sandbox.Checker{
		"local": local(),
		"child": sandbox.NewChild(2, sandbox.Limits{Step: time.Minute, Total: 10 * time.Minute}, os.Args[0], "serve"),
	}
}

// request returns a request for a TriggerService with one trigger for each filter.
func request(action string, filters ...string) sandbox.Request {
	r := sandbox.Request{}
	r.Service.Name, r.Service.Namespace = "main", "a"
	for _, f := range filters {
		t := v1alpha1.Trigger{Filter: f, Action: v1alpha1.Action{Type: action}}
		t.Source.Type = resource.Type
		t.Source.Properties = &runtime.RawExtension{Raw: []byte(`{"apiVersion":"v1","kind":"ConfigMap"}`)}
		r.Service.Spec.Triggers = append(r.Service.Spec.Triggers, t)
	}
	return r
}

func TestChecker_Problems(t *testing.T) {
	for name, c := range checkers() {
		t.Run(name, func(t *testing.T) {
			r := request("bump-application-revision", "", "context.dta.x == 1", "context.data.x ==")
			r.Service.Spec.Triggers[1].Action.Type = "nothing"
			report, err := c.Check(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range report.Triggers {
				got = append(got, fmt.Sprintf("%s: %d", s.Name, len(s.Problems)))
			}
			if want := "main-0: 0, main-1: 2, main-2: 1"; strings.Join(got, ", ") != want {
				t.Errorf("%s, want %s: %+v", got, want, report)
			}
			if p := report.Triggers[1].Problems[0]; p.Path != "spec.triggers[1].filter" || p.Line != 1 || p.Column != 9 {
				t.Errorf("problem at %s:%d:%d", p.Path, p.Line, p.Column)
			}
		})
	}
}

func TestChecker_BrokenAction(t *testing.T) {
	const good, broken = "parameter: x?: string", "parameter: {"
	for name, c := range checkers() {
		t.Run(name, func(t *testing.T) {
			for _, tc := range []struct {
				action sandbox.Action
				active string
				broken bool
			}{
				{sandbox.Action{Source: good}, good, false},
				{sandbox.Action{Source: broken, Previous: good}, good, true},
				{sandbox.Action{Source: broken}, "", true},
				{sandbox.Action{Source: good, Previous: broken}, good, false},
			} {
				r := request("own", "")
				r.Actions = map[string]sandbox.Action{"own": tc.action}
				report, err := c.Check(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if got := report.ActiveTemplates(r.Actions)["own"]; got != tc.active || (len(report.BrokenActions["own"]) > 0) != tc.broken {
					t.Errorf("%+v: active %q, broken %v", tc.action, got, report.BrokenActions)
				}
				if valid := len(report.Triggers[0].Problems) == 0; valid != (tc.active != "") {
					t.Errorf("%+v: trigger has problems %v", tc.action, report.Triggers[0].Problems)
				}
				if causes := report.Triggers[0].Problems.Causes(); len(causes) > 0 {
					t.Errorf("%+v: the problems of the trigger do not follow from the action: %v", tc.action, causes)
				}
				if reason := report.InvalidActions(r.Actions)["own"]; (reason == "") != (tc.active != "") {
					t.Errorf("%+v: invalid because %q", tc.action, reason)
				}
			}
		})
	}
}

// heavyCUE returns CUE expressions that exhaust memory or time when compiled.
func heavyCUE() map[string]string {
	return map[string]string{
		"memory": `context.data.x == "a"*3000000000`,
		"time":   "import \"list\"\nlen([for a in list.Range(0, 100000, 1) for b in list.Range(0, 100000, 1) {a}]) == context.data.x",
	}
}

// childTimeout returns the total time of a check. With the race detector a child starts
// slowly.
func childTimeout() time.Duration {
	if program.RaceEnabled() {
		return 8 * time.Second
	}
	return 2 * time.Second
}

func TestChild_ResourceExceeded(t *testing.T) {
	c := sandbox.NewChild(2, sandbox.Limits{Total: 10 * time.Minute}, os.Args[0], "serve")
	for name, source := range heavyCUE() {
		if program.RaceEnabled() && name == "memory" {
			continue // no memory limit
		}
		t.Run(name, func(t *testing.T) {
			r := request("bump-application-revision", "", `context.data.x == "a"`, source, `context.data.x == "b"`, "context.dta.x == 1")
			report, err := c.Check(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range report.Triggers {
				if s.ResourceExceeded != (i == 2) || (len(s.Problems) > 0) != (i == 2 || i == 4) {
					t.Errorf("trigger %d: %+v", i, s)
				}
			}
			if p := report.Triggers[2].Problems; len(p) != 1 || p[0].Path != "spec.triggers[2].filter" || !strings.Contains(p[0].Message, "exceeds the memory or time limit") {
				t.Errorf("problems of trigger 2: %v", p)
			}
		})
		t.Run("action-"+name, func(t *testing.T) {
			template := strings.NewReplacer("context.data.x == ", "x: ", "len(", "x: len(", " == context.data.x", "").Replace(source)
			r := request("own", "", "context.dta.x == 1")
			r.Actions = map[string]sandbox.Action{"own": {Source: template, Previous: "x: 1"}, "other": {Source: "x: 1"}}
			report, err := c.Check(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if got := report.ActiveTemplates(r.Actions); got["own"] != "x: 1" || got["other"] != "x: 1" || len(report.BrokenActions) != 1 {
				t.Errorf("active: %v, broken: %v", got, report.BrokenActions)
			}
			if first, second := report.Triggers[0], report.Triggers[1]; len(first.Problems) != 0 || len(second.Problems) != 1 || second.ResourceExceeded {
				t.Errorf("triggers: %+v", report.Triggers)
			}
		})
	}
}

// TestChild_Crash: CUE on which CUE's parser panics is a problem of its trigger alone.
func TestChild_Crash(t *testing.T) {
	c := sandbox.NewChild(1, sandbox.Limits{Total: time.Minute}, os.Args[0], "serve")
	defer c.Close()
	report, err := c.Check(t.Context(), request("bump-application-revision", "", "let d=t,t:d!00000000"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(report.Triggers[0].Problems); n != 0 {
		t.Errorf("%d problems of the other trigger", n)
	}
	if p := report.Triggers[1].Problems; len(p) != 1 || p[0].Path != "spec.triggers[1].filter" || !strings.Contains(p[0].Message, "CUE cannot parse the text") {
		t.Errorf("problems %v", p)
	}
}

func TestChild_Error(t *testing.T) {
	if _, err := sandbox.NewChild(1, sandbox.Limits{Step: time.Minute, Total: 10 * time.Minute}, "/nonexistent").Check(t.Context(), request("x", "")); err == nil {
		t.Error("no error for a child that cannot start")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sandbox.NewChild(1, sandbox.Limits{Step: time.Minute, Total: 10 * time.Minute}, os.Args[0], "serve").Check(ctx, request("x", "")); err == nil {
		t.Error("no error for a canceled context")
	}
}

func BenchmarkChild(b *testing.B) {
	c := sandbox.NewChild(1, sandbox.Limits{Step: time.Minute, Total: 10 * time.Minute}, os.Args[0], "serve")
	r := request("bump-application-revision", "context.data.x == 1")
	for b.Loop() {
		if _, err := c.Check(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// TestChild_WorkerTemplate renders worker templates of strangers in the child.
func TestChild_WorkerTemplate(t *testing.T) {
	child := sandbox.NewChild(1, sandbox.Limits{Total: 10 * time.Minute}, os.Args[0], "serve")
	render := func(template string, properties map[string]any) sandbox.Report {
		t.Helper()
		r := request("bump-application-revision", "")
		text, err := json.Marshal(properties)
		if err != nil {
			t.Fatal(err)
		}
		r.Worker = &sandbox.Worker{Template: template, Properties: text, Input: workload.Input{
			Name: "kube-trigger-main", Namespace: "a", ServiceAccount: "kube-trigger", Service: "main", Image: "image",
		}}
		report, err := child.Check(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(report.Triggers[0].Problems); n > 0 {
			t.Errorf("%d problems of the trigger, want 0", n)
		}
		return report
	}
	memory := func(limit string) map[string]any {
		return map[string]any{"replicas": 2, "resource": map[string]any{"memory": map[string]any{"limits": limit}}}
	}
	good := render(workload.Dedicated(), memory("512Mi"))
	if len(good.WorkerProblems) > 0 || *good.Deployment.Spec.Replicas != 2 || good.Deployment.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().String() != "512Mi" {
		t.Errorf("report %+v", good)
	}
	// Parsing this quantity would take minutes.
	const hostile = "1.000000000000000000000000000000e2147483600"
	const container = `deployment: spec: template: spec: containers: [{name: "x", resources: limits: memory: "` + hostile + `"}]`
	for name, c := range map[string]struct {
		template   string
		properties map[string]any
		want       string
	}{
		"quantity in properties": {workload.Dedicated(), memory(hostile), "a quantity, such as"},
		"quantity in template":   {container + "\nparameter: {}", nil, "exceeds the memory or time limit"},
		"loop":                   {"deployment: {x: [for a in [for i in [for j in [for k in list.Range(0, 1e4, 1) {k}] {j}] {i}] for b in list.Range(0, 1e6, 1) {a*b}]}\nimport \"list\"", nil, ""},
		"memory":                 {`deployment: metadata: name: strings.Repeat("x", 4000000000)`, nil, ""},
		"memory with import":     {"import \"strings\"\ndeployment: metadata: name: strings.Repeat(\"x\", 4000000000)\nparameter: {}", nil, "exceeds the memory or time limit"},
	} {
		t.Run(name, func(t *testing.T) {
			report := render(c.template, c.properties)
			if report.Deployment != nil || !strings.Contains(report.WorkerProblems.Error(), c.want) || len(report.WorkerProblems) == 0 {
				t.Errorf("deployment %v, problems %v, want %q", report.Deployment != nil, report.WorkerProblems, c.want)
			}
		})
	}
}

// TestChecker_Limits: a report has a limited size, and all triggers with problems have
// one.
func TestChecker_Limits(t *testing.T) {
	long := "context.data." + strings.Repeat("x", 5000) + " == nothing"
	filters := []string{long, long, long}
	for range 200 {
		filters = append(filters, "context.nothing.a == 1 && context.none == 2")
	}
	for name, c := range checkers() {
		report, err := c.Check(t.Context(), request("bump-application-revision", filters...))
		if err != nil {
			t.Fatal(err)
		}
		problems, size := 0, 0
		for i, r := range report.Triggers {
			if len(r.Problems) == 0 {
				t.Errorf("%s: trigger %d has no problem", name, i)
			}
			for _, p := range r.Problems {
				if len(p.Message) > sandbox.MaxMessage {
					t.Errorf("%s: a message of %d bytes", name, len(p.Message))
				}
				if !strings.Contains(p.Message, "not shown") {
					problems, size = problems+1, size+len(p.Message)
				}
			}
		}
		if problems == 0 || problems > sandbox.MaxProblems || size > sandbox.MaxProblemBytes {
			t.Errorf("%s: %d problems of %d bytes", name, problems, size)
		}
	}
}

// TestChild_Fair: checks of one namespace do not wait for all those of another, however
// slow they are.
func TestChild_Fair(t *testing.T) {
	c := sandbox.NewChild(2, sandbox.Limits{Step: time.Minute, Total: 10 * time.Second}, os.Args[0], "serve")
	defer c.Close()
	const hostile = 12
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	slow := heavyCUE()["time"]
	var finished atomic.Int32
	var wg sync.WaitGroup
	for range hostile {
		wg.Go(func() {
			r := request("bump-application-revision", slow, slow, slow)
			r.Service.Namespace = "hostile"
			_, err := c.Check(ctx, r)
			if ctx.Err() != nil {
				return
			}
			if !errors.Is(err, sandbox.ErrResourceExceeded) || !strings.Contains(err.Error(), "in all") {
				t.Errorf("got %v, want the total limit", err)
			}
			finished.Add(1)
		})
	}
	for finished.Load() == 0 { // all of them wait or run
		time.Sleep(time.Millisecond)
	}
	before := finished.Load()
	report, err := c.Check(t.Context(), request("bump-application-revision", `context.data.x == "a"`))
	if err != nil || len(report.Triggers) != 1 || len(report.Triggers[0].Problems) > 0 {
		t.Errorf("report %+v, error %v", report, err)
	}
	if n := finished.Load() - before; n > 4 {
		t.Errorf("%d hostile checks ended first, want 4 at most", n)
	}
	stop()
	wg.Wait()
}

// TestChild_Reused runs many checks in few processes.
func TestChild_Reused(t *testing.T) {
	log := filepath.Join(t.TempDir(), "starts")
	c := sandbox.NewChild(1, sandbox.Limits{Step: time.Minute, Total: time.Minute}, "/bin/sh", "-c", `echo x >> `+log+`; exec "$0" serve`, os.Args[0])
	defer c.Close()
	for range 120 {
		if _, err := c.Check(t.Context(), request("bump-application-revision", "")); err != nil {
			t.Fatal(err)
		}
	}
	starts, err := os.ReadFile(log)
	if err != nil || len(starts) != 4 {
		t.Errorf("started %d times, want twice; %v", len(starts)/2, err)
	}
}

// BenchmarkChild_Check measures the check of a TriggerService with five triggers by
// children that are kept.
func BenchmarkChild_Check(b *testing.B) {
	c := sandbox.NewChild(2, sandbox.Limits{}, os.Args[0], "serve")
	defer c.Close()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			r := request("bump-application-revision", fmt.Sprintf("context.data.x == %d", i), "context.data.y > 1", `context.data.metadata.name =~ "^web"`, "", `context: data: kind: "ConfigMap"`)
			r.Worker = &sandbox.Worker{Template: workload.Dedicated(), Input: workload.Input{Name: "x", Namespace: "x", Service: "x", ServiceAccount: "x", Image: "x"}}
			report, err := c.Check(b.Context(), r)
			if err != nil || len(report.WorkerProblems) > 0 {
				b.Error(err, report.WorkerProblems)
			}
		}
	})
}

// BenchmarkChild_Start measures a check by a new child.
func BenchmarkChild_Start(b *testing.B) {
	r := request("bump-application-revision", "context.data.x == 1")
	for b.Loop() {
		c := sandbox.NewChild(1, sandbox.Limits{}, os.Args[0], "serve")
		if _, err := c.Check(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}
