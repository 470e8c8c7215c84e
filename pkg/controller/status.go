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
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

// maxMessage is the longest message of a condition.
const maxMessage = 4096

// patchStatus writes the conditions of ts and its rejected triggers, if they changed.
func (r *reconciler) patchStatus(ctx context.Context, ts *v1alpha1.TriggerService, st state) error {
	validated, available := st.validatedCondition(), st.availableCondition()
	conditions := make([]metav1.Condition, 0, 3)
	for _, c := range ts.Status.Conditions {
		conditions = append(conditions, *c.DeepCopy())
	}
	for _, c := range []metav1.Condition{validated, available, readyCondition(ts, validated, available)} {
		c.ObservedGeneration = ts.Generation
		c.Message = diag.Truncate(c.Message, maxMessage)
		meta.SetStatusCondition(&conditions, c)
	}
	rejected := st.rejectedTriggers()
	if ts.Status.ObservedGeneration == ts.Generation && slices.Equal(rejected, ts.Status.RejectedTriggers) &&
		equality.Semantic.DeepEqual(conditions, ts.Status.Conditions) {
		return nil
	}
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.TriggerServiceStatus{
		ObservedGeneration: ts.Generation, Conditions: conditions, RejectedTriggers: rejected,
	})
	if err != nil {
		return err
	}
	patch := &unstructured.Unstructured{Object: map[string]any{"status": status}}
	patch.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerServiceKind))
	patch.SetNamespace(ts.Namespace)
	patch.SetName(ts.Name)
	err = r.client.Status().Patch(ctx, patch, client.Apply, client.FieldOwner(FieldManager), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("patch status: %w", err)
	}
	r.recordEvents(ts, validated, available)
	return nil
}

// recordEvents records a Kubernetes event for each condition that has become false, or
// whose reason or message changed. ReasonStarting is not recorded.
func (r *reconciler) recordEvents(ts *v1alpha1.TriggerService, conditions ...metav1.Condition) {
	for _, c := range conditions {
		before := meta.FindStatusCondition(ts.Status.Conditions, c.Type)
		changed := before == nil || before.Reason != c.Reason || before.Message != c.Message
		if changed && c.Status == metav1.ConditionFalse && c.Reason != v1alpha1.ReasonStarting {
			r.events.Event(ts, corev1.EventTypeWarning, c.Reason, c.Message)
		}
	}
}

func newCondition(kind string, ok bool, reason, message string) metav1.Condition {
	status := metav1.ConditionFalse
	if ok {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// rejectedTriggers returns the names of the triggers that the worker must not compile.
func (s state) rejectedTriggers() []string {
	var names []string
	for _, t := range s.report.Triggers {
		if t.ResourceExceeded {
			names = append(names, t.Name)
		}
	}
	return names
}

// validatedCondition returns the condition Validated, whose message lists all errors.
func (s state) validatedCondition() metav1.Condition {
	if len(s.forbidden) > 0 {
		return newCondition(v1alpha1.ConditionValidated, false, v1alpha1.ReasonLockdown, s.forbidden.Error())
	}
	var triggers diag.List
	for _, t := range s.report.Triggers {
		triggers = append(triggers, t.Problems.Causes()...)
	}
	for _, c := range []struct {
		problems diag.List
		reason   string
	}{
		{triggers, v1alpha1.ReasonInvalidTriggers},
		{s.workerProblems, v1alpha1.ReasonInvalidWorker},
		{s.actionProblems, v1alpha1.ReasonInvalidAction},
	} {
		if len(c.problems) > 0 {
			all := append(append(append(diag.List{}, triggers...), s.workerProblems...), s.actionProblems...)
			return newCondition(v1alpha1.ConditionValidated, false, c.reason, all.Error())
		}
	}
	return newCondition(v1alpha1.ConditionValidated, true, v1alpha1.ReasonValid, "")
}

// availableCondition returns the condition WorkerAvailable.
func (s state) availableCondition() metav1.Condition {
	available := func(ok bool, reason, message string) metav1.Condition {
		return newCondition(v1alpha1.ConditionWorkerAvailable, ok, reason, message)
	}
	switch {
	case s.denied != nil:
		return available(false, v1alpha1.ReasonWriteDenied, s.denied.Error())
	case len(s.forbidden) > 0:
		return available(false, v1alpha1.ReasonLockdown, "the triggers are stopped")
	case s.stopped:
		return available(false, v1alpha1.ReasonWorkerCrashed, fmt.Sprintf(
			"the worker of the namespace ended twice for an unknown reason while the triggers were active, and %d other TriggerServices have workers of their own for that reason; change the spec to try again",
			maxIsolated))
	case s.conflict != nil:
		return available(false, v1alpha1.ReasonNameConflict, s.conflict.Error())
	case s.deployment == nil && len(s.workerProblems) > 0:
		return available(false, v1alpha1.ReasonInvalidWorker, s.workerProblems.Error())
	case s.deployment == nil:
		return available(false, v1alpha1.ReasonInvalidTriggers, "no valid trigger")
	}
	status := s.deployment.Status
	for _, c := range status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return available(false, v1alpha1.ReasonDeploymentFailed, c.Message)
		}
	}
	if status.AvailableReplicas == 0 {
		return available(false, v1alpha1.ReasonStarting, fmt.Sprintf("Deployment %q has no available pod", s.deployment.Name))
	}
	return available(true, v1alpha1.ReasonAvailable, "")
}

// readyCondition returns the condition Ready: the other conditions are true, and the
// worker reports every trigger as running or suspended.
func readyCondition(ts *v1alpha1.TriggerService, validated, available metav1.Condition) metav1.Condition {
	for _, c := range []metav1.Condition{validated, available} {
		if c.Status == metav1.ConditionFalse {
			return newCondition(v1alpha1.ConditionReady, false, c.Reason, c.Message)
		}
	}
	var notRunning []string
	for _, t := range ts.Status.Triggers {
		if t.State != v1alpha1.TriggerRunning && t.State != v1alpha1.TriggerSuspended {
			notRunning = append(notRunning, fmt.Sprintf("%s: %s: %s", t.Name, t.Reason, t.Message))
		}
	}
	switch {
	case ts.Status.WorkerGeneration == 0:
		return newCondition(v1alpha1.ConditionReady, false, v1alpha1.ReasonStarting, "the worker has not reported yet")
	case len(notRunning) > 0:
		return newCondition(v1alpha1.ConditionReady, false, v1alpha1.ReasonTriggersNotRunning, strings.Join(notRunning, "\n"))
	case ts.Spec.Suspend:
		return newCondition(v1alpha1.ConditionReady, true, v1alpha1.ReasonSuspended, "")
	}
	return newCondition(v1alpha1.ConditionReady, true, v1alpha1.ReasonRunning, "")
}
