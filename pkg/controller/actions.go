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
// without a Definition is built in or unknown, and is omitted. previous has the templates
// of the accepted version.
func (r *reconciler) resolveActions(ctx context.Context, ts *v1alpha1.TriggerService, previous map[string]string) (map[string]sandbox.Action, map[string]string, error) {
	actions, origins := map[string]sandbox.Action{}, map[string]string{}
	for _, name := range actionTypes(ts) {
		d, err := r.findDefinition(ctx, corev1alpha1.TriggerAction, name, append([]string{ts.Namespace}, r.SystemNamespaces...)...)
		if err != nil {
			return nil, nil, err
		}
		if d == nil {
			continue // built in, or unknown
		}
		a := sandbox.Action{Source: d.Spec.Templates[corev1alpha1.MainTemplate], Previous: previous[name]}
		if a.Previous == a.Source {
			a.Previous = "" // the request is that of the check that accepted it
		}
		actions[name] = a
		origins[name] = d.Namespace + "/" + d.Name
	}
	return actions, origins, nil
}

// newCheckRequest returns a request with the fields of ts that its validity depends
// on, so that a change of any other field is a cache hit. Probable mistakes are no problems: a
// new version of the program must not stop what an earlier one has accepted.
func newCheckRequest(ts *v1alpha1.TriggerService, actions map[string]sandbox.Action, worker *sandbox.Worker) sandbox.Request {
	return sandbox.Request{
		Service: v1alpha1.TriggerService{
			ObjectMeta: metav1.ObjectMeta{Namespace: ts.Namespace, Name: ts.Name, Labels: trigger.ApplicationLabels(ts)}, Spec: ts.Spec,
		},
		Actions: actions, Worker: worker, Checks: trigger.Checks{WarnOnly: true},
	}
}
