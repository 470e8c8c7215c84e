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
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kubevela/kube-trigger/pkg/admission"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/lockdown"
)

// checkLockdown returns what the lockdown forbids of ts. The number of TriggerServices is
// limited where users create them.
func (r *reconciler) checkLockdown(ctx context.Context, ts *v1alpha1.TriggerService) (diag.List, error) {
	older := 0
	if r.Lockdown.MaxTriggerServices > 0 && !r.hasClusterBumps(ts.Namespace) {
		all, err := r.servicesIn(ctx, ts.Namespace)
		if err != nil {
			return nil, err
		}
		older = lockdown.Older(all, ts)
	}
	return r.Lockdown.Check(ts, older), nil
}

// validateLockdown returns the verdict of the lockdown for updated. What it forbids of old,
// too, is only a warning: the author does not change it.
func (v *validator) validateLockdown(ctx context.Context, operation admissionv1.Operation, old, updated *v1alpha1.TriggerService) (admission.Verdict, error) {
	var out admission.Verdict
	if operation == admissionv1.Create {
		updated = updated.DeepCopy()
		updated.CreationTimestamp = metav1.Time{} // all others are older
	}
	problems, err := v.checkLockdown(ctx, updated)
	if err != nil || len(problems) == 0 {
		return out, err
	}
	var before diag.List
	if operation == admissionv1.Update {
		if before, err = v.checkLockdown(ctx, old); err != nil {
			return out, err
		}
	}
	for _, p := range problems {
		if slices.Contains(before, p) {
			out.Warnings = append(out.Warnings, p.String())
		} else {
			out.Problems = append(out.Problems, p)
		}
	}
	return out, nil
}

// requestsForNamespace returns requests for the TriggerServices of o's namespace, whose
// number may be limited.
func (r *reconciler) requestsForNamespace(ctx context.Context, o client.Object) []ctrl.Request {
	if r.Lockdown.MaxTriggerServices == 0 {
		return nil
	}
	return r.requests(ctx, client.InNamespace(o.GetNamespace()))
}

// createdOrDeleted ignores updates.
func createdOrDeleted() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}
