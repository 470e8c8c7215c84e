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

package trigger

import (
	"context"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/filter"
)

// compileGroup returns the grouping of a trigger, nil if it has none, and the fields of
// `context` that it depends on.
func (c Compiler) compileGroup(t event.Trigger, spec v1alpha1.Trigger) (grouping engine.Grouping, depends expr.FieldSet, list diag.List) {
	if spec.Group == nil {
		return nil, depends, nil
	}
	if spec.Debounce == nil {
		list.Add("group", "requires debounce, the time in which the events of a group are collected")
	}
	by, isExpression := groupExpression(spec)
	switch {
	case by == v1alpha1.GroupByTrigger:
		return groupFunc(func(event.Event) (string, bool) { return "", true }), depends, list
	case by == v1alpha1.GroupByNamespace:
		return groupFunc(namespaceOf), expr.Field("data", "metadata", "namespace"), list
	case !isExpression:
		return groupFunc(func(event.Event) (string, bool) { return "", false }), depends, list
	default:
		problems := c.reject("group")
		if problems == nil {
			var g *filter.Group
			if g, problems = filter.CompileGroup(by, t); g != nil {
				grouping, depends = g, g.ContextFields()
			}
		}
		return grouping, depends, append(list, problems.WithPrefix("group.by")...)
	}
}

// groupExpression returns what a trigger groups by, and whether that is CUE.
func groupExpression(spec v1alpha1.Trigger) (by string, ok bool) {
	if spec.Group == nil {
		return "", false
	}
	switch by = strings.TrimSpace(spec.Group.By); by {
	case "", v1alpha1.GroupByObject, v1alpha1.GroupByTrigger, v1alpha1.GroupByNamespace:
		return by, false
	}
	return by, true
}

// groupFunc is a grouping without CUE.
type groupFunc func(ev event.Event) (name string, ok bool)

// Group implements engine.Grouping.
func (f groupFunc) Group(_ context.Context, ev event.Event) (name string, ok bool, err error) {
	name, ok = f(ev)
	return name, ok, nil
}

// namespaceOf returns the cluster and the namespace of the event's object; ok is false
// if it has none.
func namespaceOf(ev event.Event) (name string, ok bool) {
	metadata, _ := ev.Data["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	return ev.Cluster + "/" + namespace, namespace != ""
}
