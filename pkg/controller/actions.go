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

// resolveActions returns the actions of ts that come from Definitions, by action
// name, and the NAMESPACE/NAME of those Definitions, also by action name. An action
// without a Definition is built in or unknown, and is omitted.
func (r *reconciler) resolveActions(ctx context.Context, ts *v1alpha1.TriggerService) (map[string]sandbox.Action, map[string]string, error) {
	current := &corev1alpha1.Definition{}
	key := types.NamespacedName{Namespace: ts.Namespace, Name: trigger.ActionsName(ts.Name)}
	if err := client.IgnoreNotFound(r.client.Get(ctx, key, current)); err != nil {
		return nil, nil, fmt.Errorf("get Definition %s: %w", key, err)
	}
	previous := map[string]string{}
	if metav1.IsControlledBy(current, ts) {
		previous = current.Spec.Templates
	}
	actions, origins := map[string]sandbox.Action{}, map[string]string{}
	for _, name := range actionTypes(ts) {
		d, err := r.findDefinition(ctx, corev1alpha1.TriggerAction, name, append([]string{ts.Namespace}, r.SystemNamespaces...)...)
		if err != nil {
			return nil, nil, err
		}
		if d == nil {
			continue // built in, or unknown
		}
		actions[name] = sandbox.Action{Source: d.Spec.Templates[corev1alpha1.MainTemplate], Previous: previous[name]}
		origins[name] = d.Namespace + "/" + d.Name
	}
	return actions, origins, nil
}

// writeActions applies the Definition from which the worker of ts reads its action
// templates, and deletes it if there are none.
func (r *reconciler) writeActions(ctx context.Context, ts *v1alpha1.TriggerService, templates map[string]string) error {
	d := &corev1alpha1.Definition{
		TypeMeta: metav1.TypeMeta{APIVersion: corev1alpha1.GroupVersion().String(), Kind: corev1alpha1.DefinitionKind},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ts.Namespace, Name: trigger.ActionsName(ts.Name),
			Labels: workerLabels(ts), OwnerReferences: []metav1.OwnerReference{ownerReference(ts, true)},
		},
		Spec: corev1alpha1.DefinitionSpec{Type: corev1alpha1.TriggerActionsInForce, Templates: templates},
	}
	if len(templates) > 0 {
		return r.apply(ctx, d, &corev1alpha1.Definition{}, controlledBy(ts))
	}
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !metav1.IsControlledBy(d, ts) {
		return nil
	}
	return r.remove(ctx, d)
}

// newCheckRequest returns a request with the fields of ts that its validity depends
// on, so that a change of any other field is a cache hit.
func newCheckRequest(ts *v1alpha1.TriggerService, actions map[string]sandbox.Action, worker *sandbox.Worker) sandbox.Request {
	return sandbox.Request{
		Service: v1alpha1.TriggerService{
			ObjectMeta: metav1.ObjectMeta{Namespace: ts.Namespace, Name: ts.Name}, Spec: ts.Spec,
		},
		Actions: actions, Worker: worker,
	}
}
