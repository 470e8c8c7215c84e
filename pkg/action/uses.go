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
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
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
		m := matched{call: c}
		if i < len(other) && siteKey(other[i]) == siteKey(c) {
			m.other = &other[i]
		}
		m.varies = i < len(again) && !equalParams(c, again[i])
		d.add(m, seen)
	}
	for i := len(one); i < len(other); i++ {
		counts[siteKey(other[i])]++
		d.add(matched{call: other[i]}, seen)
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
			if c, err := d.action.compileFor(t); err == nil {
				for i, s := range t.stages {
					d.stages = append(d.stages, stageValue{s, c.stages[i]})
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
		if r.Cluster == multicluster.Local {
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

// evaluate returns the calls that the action makes for a sample event.
func (d *derivation) evaluate(s sample, v variant) (calls []provider.Call, err error) {
	defer panicerr.Recover(&err)
	rec := &recorder{sample: s, variant: v, action: d.action}
	_, err = d.action.evaluate(context.Background(), d.copy, s.context(d.action, d.events, v), rec)
	return rec.calls, err
}
