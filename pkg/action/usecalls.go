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
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/rights"
)

// matched is a call with that for another object.
type matched struct {
	call provider.Call
	// other is nil if the other object leads to no such call.
	other  *provider.Call
	varies bool
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
	field := c.Path
	if end := strings.IndexAny(field, ".["); end >= 0 {
		field = field[:end]
	}
	return strings.Trim(field, `"`) + " " + c.Provider + "." + c.Do
}
