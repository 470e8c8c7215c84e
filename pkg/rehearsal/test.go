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

package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// TestResult is the result of one test.
type TestResult struct {
	Name     string        `json:"name"`
	Line     int           `json:"line"`
	Failures []Failure     `json:"failures,omitempty"`
	Duration time.Duration `json:"duration"`
}

// Failure is what differs from what is expected, or an error.
type Failure struct {
	Line int `json:"line"`
	// Message says what it is about, Diff are the lines that differ: "- " is expected, "+ "
	// has happened.
	Message string   `json:"message"`
	Diff    []string `json:"diff,omitempty"`
}

// Run runs one test of f with o, to which it adds what is given. With update, what is expected
// becomes what happens, in the file.
func (f *TestFile) Run(ctx context.Context, index int, o Options, update bool) (out TestResult) {
	t := f.Tests[index]
	started := time.Now()
	out = TestResult{Name: t.Name, Line: t.line}
	defer func() { out.Duration = time.Since(started) }()
	fail := func(line int, err error) {
		out.Failures = append(out.Failures, Failure{Line: line, Message: err.Error()})
	}
	var err error
	o.Start = DefaultStart()
	for _, given := range []Given{f.Given, t.Given} {
		if !given.Start.IsZero() {
			o.Start = given.Start.UTC()
		}
		o.Objects = append(o.Objects, given.Objects...)
	}
	o.Answers = append(slices.Clone(t.Answers), f.Answers...)
	if o.Triggers, err = selected(o.Triggers, t.Triggers); err != nil {
		fail(f.line("tests", index, "triggers"), err)
		return out
	}
	r, err := Start(ctx, o)
	if err != nil {
		fail(t.line, err)
		return out
	}
	defer func() {
		if err := r.Close(); err != nil {
			fail(t.line, err)
		}
	}()
	before := r.take()
	for i, s := range t.Steps {
		path := []any{"tests", index, "steps", i}
		result, err := r.step(ctx, s)
		if err != nil {
			fail(f.line(path...), err)
			return out
		}
		result = StepResult{append(before.Decisions, result.Decisions...), append(before.Calls, result.Calls...)}
		before = StepResult{}
		out.Failures = append(out.Failures, f.compare(r, s.Expect, result, path, update)...)
	}
	return out
}

// selected returns the triggers with names, or all.
func selected(all []trigger.Compiled, names []string) ([]trigger.Compiled, error) {
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, t := range all {
		known = append(known, t.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("triggers: there is no %q%s", name, diag.Suggest(name, known))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(t trigger.Compiled) bool { return !slices.Contains(names, t.Name) }), nil
}

// step does what a step says.
func (r *Run) step(ctx context.Context, s Step) (StepResult, error) {
	switch {
	case s.Apply != nil:
		objects, ok := s.Apply.([]any)
		if !ok {
			objects = []any{s.Apply}
		}
		var all []map[string]any
		for _, o := range objects {
			object, _ := o.(map[string]any)
			all = append(all, copyOf(object))
		}
		return r.Put(ctx, all...)
	case s.Patch != nil:
		before := r.objects.stateOf(s.Patch)
		if before == nil {
			return StepResult{}, fmt.Errorf("patch: there is no %s", nameOf(s.Patch))
		}
		after, err := merged(before, s.Patch)
		if err != nil {
			return StepResult{}, fmt.Errorf("patch: %w", err)
		}
		return r.Put(ctx, after)
	case s.Delete != nil:
		u := unstructured.Unstructured{Object: s.Delete}
		result, err := r.Remove(ctx, u.GroupVersionKind().GroupKind(), u.GetNamespace(), u.GetName())
		if err != nil {
			return result, fmt.Errorf("delete: there is no %s", nameOf(s.Delete))
		}
		return result, nil
	case s.Request != nil:
		return r.request(ctx, *s.Request)
	case s.Event != nil:
		data, err := json.Marshal(s.Event)
		if err != nil {
			return StepResult{}, err
		}
		stimulus, _ := ParseStimulus(data, event.Update, r.Now())
		if stimulus.Event == nil {
			return StepResult{}, errors.New("event: must be an event as context shows it, with sourceType, event and data")
		}
		return r.Deliver(ctx, event.TriggerRef{}, source.Occurrence{Event: *stimulus.Event})
	case s.Time != "":
		until, err := r.until(s.Time)
		if err != nil {
			return StepResult{}, err
		}
		return r.AdvanceTo(ctx, until)
	}
	return r.take(), nil
}

// until returns the time that text says.
func (r *Run) until(text string) (time.Time, error) {
	if wait, ok := strings.CutPrefix(text, "+"); ok {
		d, err := time.ParseDuration(wait)
		if err != nil || d < 0 {
			return time.Time{}, fmt.Errorf("time: invalid duration %q: must be one such as +1m30s", text)
		}
		return r.Now().Add(d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("time: invalid time %q: must be a duration such as +30s, or a time such as 2026-11-29T02:00:00Z", text)
	case at.Before(r.Now()):
		return time.Time{}, fmt.Errorf("time: %s is before now, %s", text, r.Now().UTC().Format(time.RFC3339))
	}
	return at, nil
}

// request sends a request to the webhooks at its path.
func (r *Run) request(ctx context.Context, q Request) (StepResult, error) {
	body, isText := q.Body.(string)
	if !isText && q.Body != nil {
		data, err := json.Marshal(q.Body)
		if err != nil {
			return StepResult{}, err
		}
		body = string(data)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.Path, bytes.NewReader([]byte(body)))
	if err != nil {
		return StepResult{}, fmt.Errorf("request: %w", err)
	}
	for name, value := range q.Headers {
		req.Header.Set(name, value)
	}
	var known []string
	for _, t := range r.triggers {
		hook, ok := t.Subscription.(source.RequestRehearser)
		if !ok {
			continue
		}
		if known = append(known, hook.RequestPath()); hook.RequestPath() != req.URL.Path {
			continue
		}
		events, err := hook.RehearseRequest(req, []byte(body), r.Now())
		if err != nil {
			return StepResult{}, fmt.Errorf("request: is rejected: %w", err)
		}
		return r.Deliver(ctx, t.trigger, occurrencesOf(events...)...)
	}
	return StepResult{}, fmt.Errorf("request: no webhook has the path %q; paths: %s", req.URL.Path, strings.Join(known, ", "))
}

// merged returns an object with a merge patch.
func merged(object, patch map[string]any) (map[string]any, error) {
	before, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	changes, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	after, err := jsonpatch.MergePatch(before, changes)
	if err != nil {
		return nil, err
	}
	return decode(after)
}

func nameOf(object map[string]any) string {
	u := unstructured.Unstructured{Object: object}
	return strings.TrimSuffix(u.GetKind()+" "+u.GetNamespace(), " ") + "/" + u.GetName()
}

// compare returns what differs from what is expected at a path of the file.
func (f *TestFile) compare(r *Run, want *Expect, got StepResult, path []any, update bool) (failures []Failure) {
	n := f.node(append(path, "expect")...)
	if want == nil {
		if n == nil || !update { // there is none, or null
			return nil
		}
		want = &Expect{}
	}
	check := func(name string, want, got any) {
		at := append(slices.Clone(path), "expect", name)
		if diff := difference(want, got); len(diff) > 0 && update {
			f.set(n, name, projection(want, got))
		} else if len(diff) > 0 {
			failures = append(failures, Failure{Line: f.line(at...), Message: name + " differ", Diff: diff})
		}
	}
	if update && reflect.DeepEqual(*want, Expect{}) {
		want = &Expect{Decisions: &[]any{"?"}, Calls: &[]any{"?"}}
	}
	if want.Decisions != nil {
		check("decisions", *want.Decisions, r.decisions(got.Decisions))
	}
	if want.Calls != nil {
		check("calls", *want.Calls, r.calls(got.Calls))
	}
	if want.Objects != nil {
		var wanted, actual []any
		for _, o := range want.Objects {
			wanted = append(wanted, o)
			state := r.objects.stateOf(o)
			if state == nil {
				state = map[string]any{"absent": nameOf(o)}
			}
			actual = append(actual, redact.New(state).Public(state))
		}
		check("objects", wanted, actual)
	}
	for i, o := range want.Absent {
		if r.objects.stateOf(o) != nil {
			at := append(slices.Clone(path), "expect", "absent", i)
			failures = append(failures, Failure{Line: f.line(at...), Message: nameOf(o) + " exists"})
		}
	}
	return failures
}

// set sets a field of the expectation at n.
func (f *TestFile) set(n *yaml.Node, name string, value any) {
	var encoded yaml.Node
	if err := encoded.Encode(plain(value)); err != nil {
		return // unreachable: decoded JSON
	}
	if n.Kind != yaml.MappingNode {
		*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", HeadComment: n.HeadComment, LineComment: n.LineComment}
	}
	n.Style &^= yaml.FlowStyle
	f.updated = true
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			n.Content[i+1] = &encoded
			return
		}
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, &encoded)
}

// IsUpdated reports whether updates have changed the file.
func (f *TestFile) IsUpdated() bool { return f.updated }

// Updated returns the text of the file, with what updates have changed.
func (f *TestFile) Updated() ([]byte, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(f.root); err != nil {
		return nil, err
	}
	return out.Bytes(), e.Close()
}

// decisions returns the decisions that are compared: those that end the handling of an event
// or an attempt, without events that a trigger does not subscribe to.
func (r *Run) decisions(all []Decision) []any {
	out := []any{}
	for _, d := range all {
		switch {
		case d.Outcome == engine.Queued, d.Outcome == engine.Matched, d.Outcome == engine.Reloaded, d.Outcome == engine.Requeued,
			d.Reason == string(source.NotSubscribed):
			continue
		}
		entry := map[string]any{"trigger": d.Trigger.Name, "event": d.Event.Type, "key": d.Event.Key, "outcome": string(d.Outcome)}
		for name, text := range map[string]string{"reason": d.Reason, "action": d.Action} {
			if text != "" {
				entry[name] = text
			}
		}
		if d.Attempt > 1 {
			entry["attempt"] = int64(d.Attempt)
		}
		if d.Err != nil {
			entry["error"] = d.Err.Error()
		}
		out = append(out, entry)
	}
	return out
}

// calls returns the calls that are compared: those that change or send something.
func (r *Run) calls(all []TriggerCall) []any {
	out := []any{}
	for _, c := range all {
		if !c.Effect {
			continue
		}
		entry := map[string]any{"trigger": c.Trigger.Name, "call": c.Function, "path": c.Path, "params": c.Params}
		if c.NotSent {
			entry["notSent"] = true
		}
		if c.Error != "" {
			entry["error"] = c.Error
		}
		out = append(out, entry)
	}
	return out
}

// difference returns the lines that differ between want and got, of which only what want has
// is compared.
func difference(want, got any) []string {
	got = projection(want, got)
	w, g := plain(want), plain(got)
	if reflect.DeepEqual(w, g) {
		return nil
	}
	return DiffLines(yamlOf(w), yamlOf(g))
}

// projection returns got without the fields of structs that want lacks.
func projection(want, got any) any {
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		if !ok {
			return got
		}
		out := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if value, ok := fields[name]; ok {
				out[name] = projection(want[name], value)
			}
		}
		if absent, ok := fields["absent"]; ok && len(fields) == 1 {
			out["absent"] = absent
		}
		return out
	case []any:
		list, ok := got.([]any)
		if !ok {
			return got
		}
		out := make([]any, len(list))
		for i, item := range list {
			out[i] = item
			if i < len(want) {
				out[i] = projection(want[i], item)
			}
		}
		return out
	}
	return got
}

// plain returns a value as decoded JSON.
func plain(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	out, err := number.Unmarshal(data)
	if err != nil {
		return err.Error()
	}
	return out
}

func yamlOf(v any) string {
	text, err := sigsyaml.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
