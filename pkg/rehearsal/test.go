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
	"net/http"
	"slices"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
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
	return Ref{u.GroupVersionKind().GroupKind(), types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()}}.String()
}
