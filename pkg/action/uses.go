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

package action

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/rights"
)

// Use is what an action does to an object, or to the objects of a kind.
type Use struct {
	rights.Right
	// Labels are those that it gives to an object; nil if they are not known.
	Labels map[string]string
	// Always is set if every event leads to the call, as far as that is known.
	Always bool
	// Varies is set if the call differs for each event of one object.
	Varies bool
}

// Events describes the events of a trigger, as far as they are known before they occur.
type Events struct {
	// Trigger is the value of `context.trigger`.
	Trigger event.Trigger
	// Source is the type of the source, and Types those of the events.
	Source string
	Types  []string
	// Kind is the kind of the objects; the zero value if events have none. Namespace and Name
	// are those of the objects; empty if they are not known. ClusterScoped is set for a kind
	// without a namespace.
	Kind            schema.GroupVersionKind
	Namespace, Name string
	ClusterScoped   bool
	// OtherClusters is set if events may be those of joined clusters.
	OtherClusters bool
	// Grouped is set if one event stands for several.
	Grouped bool
}

// Uses returns what the action does to objects of the API server, without running it: it
// evaluates the template for sample events, and records the calls. What differs between events
// is not known. For calls that no sample event leads to, the rights that the template declares
// count. unknown says, for each other right that cannot be derived, why.
func (r *Action) Uses(events Events) (uses []Use, unknown []string) {
	if len(events.Types) == 0 {
		events.Types = []string{""}
	}
	b := &borrowed{action: r}
	defer b.end()
	d := &derivation{action: r, events: events, copy: b, errs: map[string]bool{}, reached: map[string]int{}}
	for _, t := range events.Types {
		d.sample(variant{eventType: t, value: textValue})
	}
	d.varying = true
	missing := d.missing()
	d.sample(variant{eventType: events.Types[0]})
	if len(missing) > 0 {
		d.sample(variant{eventType: events.Types[0], value: textValue, emptyLists: true})
		missing = d.missing()
	}
	if len(missing) > 0 && !d.declared() {
		missing = d.unconditional(missing)
		for _, s := range missing {
			d.note(fmt.Sprintf("%s.%s in line %d of the action %q is called for some events only%s", s.call.Provider, s.call.Do, s.line, r.template.name, d.reason()))
		}
	}
	return d.uses, d.unknown
}

// derivation collects what an action does.
type derivation struct {
	action *Action
	events Events
	copy   *borrowed
	uses   []Use
	// unknown are the notes.
	unknown []string
	// errs are the errors of evaluations of the first variants. reached has the number of calls
	// of each function in a field that one evaluation has reached.
	errs    map[string]bool
	reached map[string]int
	// rounds counts the variants. varying is set after the first ones, with all fields.
	rounds  int
	varying bool
	// stages are those of the template with conditions on properties only, once prepared is
	// set.
	stages   []stageValue
	prepared bool
	// only has the keys of the calls that are collected; nil for all.
	only map[string]bool
}

// stageValue is a compiled stage.
type stageValue struct {
	stage expr.Stage
	value cue.Value
}

func (d *derivation) note(text string) {
	if !slices.Contains(d.unknown, text) {
		d.unknown = append(d.unknown, text)
	}
}

// reason returns why an evaluation ended early.
func (d *derivation) reason() string {
	for _, err := range slices.Sorted(maps.Keys(d.errs)) {
		return ": " + strings.ReplaceAll(err, sampleMark, "sample")
	}
	return ""
}

// sample evaluates the action for two objects, and the first one a second time, and adds what it
// does.
func (d *derivation) sample(v variant) {
	d.rounds++
	first, second := sampleOf("a", d.events), sampleOf("b", d.events)
	later := first
	later.id, later.time = "later", first.time.AddDate(0, 0, 1)
	one, err := d.evaluate(first, v)
	other, _ := d.evaluate(second, v)
	again, _ := d.evaluate(later, v)
	if err != nil && !d.varying {
		d.errs[err.Error()] = true
	}
	counts := map[string]int{}
	seen := map[int]bool{}
	for i, c := range one {
		counts[siteKey(c)]++
		m := matched{call: c, sample: first}
		if i < len(other) && siteKey(other[i]) == siteKey(c) {
			m.other, m.otherSample = &other[i], second
		}
		m.varies = i < len(again) && !equalParams(c, again[i])
		d.add(m, seen)
	}
	for i := len(one); i < len(other); i++ {
		counts[siteKey(other[i])]++
		d.add(matched{call: other[i], sample: second}, seen)
	}
	for key, n := range counts {
		d.reached[key] = max(d.reached[key], n)
	}
	for i := range d.uses {
		d.uses[i].Always = d.uses[i].Always && seen[i]
	}
}

// missing returns the calls that no sample event leads to, and that may be made nevertheless.
func (d *derivation) missing() []callSite {
	sites, err := d.action.template.callSites()
	if err != nil {
		return nil
	}
	needed, anywhere := map[string]int{}, map[string]int{}
	var out []callSite
	for key, n := range d.reached {
		_, function, _ := strings.Cut(key, " ")
		anywhere[function] += n
	}
	for _, s := range sites {
		if s.field == "" {
			if anywhere[s.function()] == 0 {
				out = append(out, s)
			}
			continue
		}
		if needed[s.key()]++; d.reached[s.key()] < needed[s.key()] && !d.never(s.field) {
			out = append(out, s)
		}
	}
	return out
}

// never reports whether a field has no calls whatever the event is, since conditions on the
// properties are false.
func (d *derivation) never(field string) bool {
	if !d.prepared {
		d.prepared = true
		if t, err := d.action.template.withConditionsOnProperties(); err == nil {
			o := d.action.options
			o.Objectless = ""
			if a, problems := t.Compile(o); len(problems) == 0 {
				b := &borrowed{action: a}
				defer b.end()
				if c, err := b.get(); err == nil {
					for i, s := range t.stages {
						d.stages = append(d.stages, stageValue{s, c.stages[i]})
					}
				}
			}
		}
	}
	for _, s := range d.stages {
		if !slices.Contains(s.stage.Calls, field) && !s.stage.Repeats() {
			continue
		}
		v := s.value.LookupPath(cue.MakePath(cue.Str(field)))
		n, err := v.Len().Int64()
		return v.IncompleteKind() == cue.ListKind && err == nil && n == 0
	}
	return false
}

// unconditional adds what the calls of sites do where conditions lead to them. It returns those
// that are not known even then.
func (d *derivation) unconditional(sites []callSite) []callSite {
	t, err := d.action.template.withoutConditions()
	if err != nil {
		return sites
	}
	o := d.action.options
	o.Objectless = ""
	a, problems := t.Compile(o)
	if len(problems) > 0 {
		return sites
	}
	b := &borrowed{action: a}
	defer b.end()
	all := &derivation{action: a, events: d.events, copy: b, errs: map[string]bool{}, reached: map[string]int{}, varying: true, only: map[string]bool{}}
	for _, s := range sites {
		all.only[s.key()] = true
	}
	for _, value := range []any{textValue, nil, int64(1)} {
		for _, fields := range [][]string{nil, t.selectors()} {
			if all.sample(variant{eventType: d.events.Types[0], value: value, fields: fields}); value == nil {
				break
			}
		}
	}
	for _, u := range all.uses {
		u.Always = false
		d.put(u, nil)
	}
	for _, text := range all.unknown {
		d.note(text)
	}
	return slices.DeleteFunc(sites, func(s callSite) bool { return all.reached[s.key()] > 0 })
}

// declared adds the rights that the template declares. It returns false if it declares none.
func (d *derivation) declared() bool {
	if d.action.options.Computed != nil {
		return false
	}
	list := d.action.template.Rights(d.action.options.Properties)
	for _, r := range list {
		fixed := func(text, otherwise string) string {
			if strings.Contains(text, "{{") {
				return ""
			}
			if text == "" {
				return otherwise
			}
			return text
		}
		r.Name = fixed(r.Name, d.events.Name)
		if r.All {
			r.Name, r.All = "", false
		}
		if r.Namespace == "" && d.events.Kind.Empty() {
			r.Namespace = d.events.Trigger.Namespace
		}
		r.Namespace = fixed(r.Namespace, d.events.Namespace)
		r.APIVersion, r.Kind = fixed(r.APIVersion, d.events.Kind.GroupVersion().String()), fixed(r.Kind, d.events.Kind.Kind)
		if r.Cluster == "" && d.events.OtherClusters {
			r.Cluster = rights.AnyCluster
		}
		if r.Cluster == "local" {
			r.Cluster = ""
		}
		if r.Kind == "" {
			d.note(fmt.Sprintf("%s: the kind is computed at run time", strings.Join(r.Verbs, ", ")))
			continue
		}
		d.put(Use{Right: r}, nil)
	}
	return len(list) > 0
}

// matched is a call with that for another object.
type matched struct {
	call   provider.Call
	sample sample
	// other is nil if the other object leads to no such call.
	other       *provider.Call
	otherSample sample
	varies      bool
}

// add adds what a call does.
func (d *derivation) add(m matched, seen map[int]bool) {
	if d.only != nil && !d.only[siteKey(m.call)] {
		return
	}
	namespace := d.events.Trigger.Namespace
	list, unknown := provider.Rights(m.call, namespace)
	if unknown != "" {
		d.note(unknown)
	}
	d.addView(m.call, seen)
	others := make([]rights.Right, len(list))
	copy(others, list)
	if m.other != nil {
		if more, _ := provider.Rights(*m.other, namespace); len(more) == len(list) {
			others = more
		}
	}
	for i, r := range list {
		o, known := others[i], true
		if r.APIVersion != o.APIVersion || r.Kind != o.Kind || r.Kind == "" || isSample(r.Kind) || isSample(r.APIVersion) {
			d.note(fmt.Sprintf("%s: the kind is computed at run time", strings.Join(r.Verbs, ", ")))
			continue
		}
		if r.Namespace != o.Namespace || isSample(r.Namespace) {
			if known = isNamespace(r.Namespace) && (m.other == nil || isNamespace(o.Namespace)); known {
				r.Namespace = ""
			}
		}
		if r.Name != o.Name || isSample(r.Name) {
			r.Name = ""
		}
		if r.Cluster != o.Cluster || isSample(r.Cluster) {
			r.Cluster = rights.AnyCluster
		}
		if !known {
			d.note(fmt.Sprintf("%s: the namespace is computed at run time", strings.Join(r.Verbs, ", ")+" "+r.Kind))
			continue
		}
		d.put(Use{Right: r, Labels: m.labels(), Always: d.rounds == 1 && m.other != nil, Varies: m.varies}, seen)
	}
}

// addView adds what the view does whose CUE is a parameter of the call.
func (d *derivation) addView(c provider.Call, seen map[int]bool) {
	text, _ := c.Params["template"].(string)
	if c.Provider != "query" || text == "" {
		return
	}
	parameter, _ := c.Params["parameter"].(map[string]any)
	t, problems := Parse("view", text)
	if len(problems) > 0 || isSample(text) {
		d.note("the view reads what its text says, which is computed at run time")
		return
	}
	v, problems := t.View(Options{Properties: parameter, Executor: d.action.options.Executor})
	if len(problems) > 0 {
		d.note("the view cannot be compiled: " + problems.Error())
		return
	}
	uses, unknown := v.Uses()
	for _, text := range unknown {
		d.note("view: " + text)
	}
	for _, u := range uses {
		for _, field := range []*string{&u.Name, &u.Namespace} {
			if isSample(*field) {
				*field = ""
			}
		}
		d.put(u, seen)
	}
}

// put adds a use, and what is known of it in addition.
func (d *derivation) put(u Use, seen map[int]bool) {
	i := slices.IndexFunc(d.uses, func(o Use) bool { return o.Equal(u.Right) })
	if i < 0 {
		i = len(d.uses)
		d.uses = append(d.uses, u)
	} else if !maps.Equal(d.uses[i].Labels, u.Labels) {
		d.uses[i].Labels = nil
	}
	if seen != nil {
		seen[i] = true
	}
}

// labels returns the labels of the object that the call writes, if they are the same for all
// objects.
func (m matched) labels() map[string]string {
	out, ok := labelsOf(m.call)
	if !ok {
		return nil
	}
	if m.other != nil {
		if other, _ := labelsOf(*m.other); !maps.Equal(out, other) {
			return nil
		}
	}
	for k, v := range out {
		if isSample(k) || isSample(v) {
			return nil
		}
	}
	return out
}

func labelsOf(c provider.Call) (map[string]string, bool) {
	o, ok := target(c)
	if !ok || c.Do != "create" && c.Do != "apply" {
		return nil, false
	}
	metadata, _ := o["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	out := map[string]string{}
	for k, v := range labels {
		out[k] = fmt.Sprint(v)
	}
	return out, true
}

// target returns the parameter of a call with its object.
func target(c provider.Call) (map[string]any, bool) {
	for _, name := range []string{"resource", "value"} {
		if o, ok := c.Params[name].(map[string]any); ok {
			return o, true
		}
	}
	return nil, false
}

func equalParams(a, b provider.Call) bool {
	x, errX := json.Marshal(a.Params)
	y, errY := json.Marshal(b.Params)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// siteKey identifies where a call is made: the field, and the function.
func siteKey(c provider.Call) string {
	field := regexp.MustCompile(`^[^.\[]*`).FindString(c.Path)
	return strings.Trim(field, `"`) + " " + c.Provider + "." + c.Do
}

// evaluate returns the calls that the action makes for a sample event.
func (d *derivation) evaluate(s sample, v variant) (calls []provider.Call, err error) {
	defer panicerr.Recover(&err)
	rec := &recorder{sample: s, variant: v, action: d.action}
	_, err = d.action.evaluate(context.Background(), d.copy, s.context(d.action, d.events, v), rec)
	return rec.calls, err
}
