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

package controller

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// findDefinition returns the Definition with the given type and name from the first
// namespace that has one, or nil. TYPE-NAME takes precedence over NAME.
func (r *reconciler) findDefinition(ctx context.Context, typ, name string, namespaces ...string) (*corev1alpha1.Definition, error) {
	for _, namespace := range namespaces {
		for _, n := range []string{typ + "-" + name, name} {
			d := &corev1alpha1.Definition{}
			err := r.client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: n}, d)
			if client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("get Definition %s/%s: %w", namespace, n, err)
			}
			if err == nil && d.Spec.Type == typ {
				return d, nil
			}
		}
	}
	return nil, nil
}

// resolvedActions are the actions of a TriggerService that are not built in.
type resolvedActions struct {
	// actions are their templates, and origins the objects that define them, by type.
	actions map[string]sandbox.Action
	origins map[string]string
	// steps are the names of workflow steps to suggest for one that does not exist.
	steps []string
}

// resolveActions returns the actions of ts: those in Definitions and those that are steps of
// workflows, of its namespace, else of the system namespaces. previous are the active templates.
func (r *reconciler) resolveActions(ctx context.Context, ts *v1alpha1.TriggerService, previous map[string]string) (resolvedActions, error) {
	out := resolvedActions{actions: map[string]sandbox.Action{}, origins: map[string]string{}}
	namespaces := append([]string{ts.Namespace}, r.SystemNamespaces...)
	for _, name := range actionTypes(ts) {
		source, origin, found, err := r.resolveAction(ctx, name, namespaces)
		if err != nil {
			return out, err
		}
		if !found {
			continue // built in, or unknown
		}
		a := sandbox.Action{Source: source, Previous: previous[name]}
		if a.Previous == a.Source {
			a.Previous = "" // the request is that of the check that accepted it
		}
		out.actions[name], out.origins[name] = a, origin
	}
	var err error
	out.steps, err = r.unknownSteps(ctx, actionTypes(ts), out.actions, namespaces)
	return out, err
}

// resolveAction returns the template of an action and the object that defines it; false if
// there is none.
func (r *reconciler) resolveAction(ctx context.Context, name string, namespaces []string) (source, origin string, found bool, err error) {
	if step, ok := workflowstep.Parse(name); ok {
		return r.resolveStep(ctx, step, namespaces)
	}
	d, err := r.findDefinition(ctx, corev1alpha1.TriggerAction, name, namespaces...)
	if err != nil || d == nil {
		return "", "", false, err
	}
	return d.Spec.Templates[corev1alpha1.MainTemplate], fmt.Sprintf("%s %s/%s", corev1alpha1.DefinitionKind, d.Namespace, d.Name), true, nil
}

// newCheckRequest returns a request with the fields of ts that its validity depends
// on, so that a change of any other field is a cache hit. Probable mistakes are no problems: a
// new version of the program must not stop what an earlier one has accepted.
func newCheckRequest(ts *v1alpha1.TriggerService, resolved resolvedActions, worker *sandbox.Worker) sandbox.Request {
	return sandbox.Request{
		Service: v1alpha1.TriggerService{
			ObjectMeta: metav1.ObjectMeta{Namespace: ts.Namespace, Name: ts.Name, Labels: trigger.ApplicationLabels(ts)}, Spec: ts.Spec,
		},
		Actions: resolved.actions, Steps: resolved.steps, Worker: worker, Checks: trigger.Checks{WarnOnly: true},
	}
}
