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
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"gopkg.in/yaml.v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/source"
)

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
func (r *Run) decisions(all []engine.Decision) []any {
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
