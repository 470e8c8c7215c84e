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

// patchStatus writes the conditions of ts, if they are not what ts says already.
func (r *reconciler) patchStatus(ctx context.Context, ts *v1alpha1.TriggerService, found state) error {
	validated, available := found.validatedCondition(), found.availableCondition()
	conditions := make([]metav1.Condition, 0, 3)
	for _, c := range ts.Status.Conditions {
		conditions = append(conditions, *c.DeepCopy())
	}
	for _, c := range []metav1.Condition{validated, available, readyCondition(ts, validated, available)} {
		c.ObservedGeneration = ts.Generation
		if len(c.Message) > maxMessage {
			c.Message = strings.ToValidUTF8(c.Message[:maxMessage-len("…")], "") + "…"
		}
		meta.SetStatusCondition(&conditions, c)
	}
	refused := found.rejectedTriggers()
	if ts.Status.ObservedGeneration == ts.Generation && slices.Equal(refused, ts.Status.Refused) &&
		equality.Semantic.DeepEqual(conditions, ts.Status.Conditions) {
		return nil
	}
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.TriggerServiceStatus{
		ObservedGeneration: ts.Generation, Conditions: conditions, Refused: refused,
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
		return fmt.Errorf("write status: %w", err)
	}
	r.recordEvents(ts, validated, available)
	return nil
}

// recordEvents makes Kubernetes events of conditions that have become bad.
func (r *reconciler) recordEvents(ts *v1alpha1.TriggerService, conditions ...metav1.Condition) {
	for _, c := range conditions {
		before := meta.FindStatusCondition(ts.Status.Conditions, c.Type)
		news := before == nil || before.Reason != c.Reason || before.Message != c.Message
		if news && c.Status == metav1.ConditionFalse && c.Reason != v1alpha1.ReasonStarting {
			r.events.Event(ts, corev1.EventTypeWarning, c.Reason, c.Message)
		}
	}
}

func newCondition(kind string, is bool, reason, message string) metav1.Condition {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// rejectedTriggers are the triggers that the worker must leave out.
func (f state) rejectedTriggers() []string {
	var names []string
	for _, t := range f.report.Triggers {
		if t.ResourceExceeded {
			names = append(names, t.Name)
		}
	}
	return names
}

// validatedCondition says whether what the user wrote makes sense.
func (f state) validatedCondition() metav1.Condition {
	var triggers diag.List
	for _, t := range f.report.Triggers {
		triggers = append(triggers, t.Problems...)
	}
	for _, c := range []struct {
		problems diag.List
		reason   string
	}{
		{triggers, v1alpha1.ReasonInvalidTriggers},
		{f.workerProblems, v1alpha1.ReasonInvalidWorker},
		{f.actionProblems, v1alpha1.ReasonInvalidAction},
	} {
		if len(c.problems) > 0 {
			all := append(append(append(diag.List{}, triggers...), f.workerProblems...), f.actionProblems...)
			return newCondition(v1alpha1.ConditionValidated, false, c.reason, all.Error())
		}
	}
	return newCondition(v1alpha1.ConditionValidated, true, v1alpha1.ReasonValid, "")
}

// availableCondition says whether there is a worker.
func (f state) availableCondition() metav1.Condition {
	is := func(is bool, reason, message string) metav1.Condition {
		return newCondition(v1alpha1.ConditionWorkerAvailable, is, reason, message)
	}
	switch {
	case f.conflict != nil:
		return is(false, v1alpha1.ReasonNameTaken, f.conflict.Error())
	case f.deployment == nil && len(f.workerProblems) > 0:
		return is(false, v1alpha1.ReasonInvalidWorker, f.workerProblems.Error())
	case f.deployment == nil:
		return is(false, v1alpha1.ReasonInvalidTriggers, "no trigger is valid")
	}
	status := f.deployment.Status
	for _, c := range status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return is(false, v1alpha1.ReasonDeploymentFailed, c.Message)
		}
	}
	if status.AvailableReplicas == 0 {
		return is(false, v1alpha1.ReasonStarting, fmt.Sprintf("Deployment %q has no available pod", f.deployment.Name))
	}
	return is(true, v1alpha1.ReasonAvailable, "")
}

// readyCondition says whether all of it works, as far as the worker has said.
func readyCondition(ts *v1alpha1.TriggerService, validated, available metav1.Condition) metav1.Condition {
	for _, c := range []metav1.Condition{validated, available} {
		if c.Status == metav1.ConditionFalse {
			return newCondition(v1alpha1.ConditionReady, false, c.Reason, c.Message)
		}
	}
	var idle []string
	for _, t := range ts.Status.Triggers {
		if t.State != v1alpha1.TriggerRunning && t.State != v1alpha1.TriggerSuspended {
			idle = append(idle, fmt.Sprintf("%s: %s: %s", t.Name, t.Reason, t.Message))
		}
	}
	switch {
	case ts.Status.WorkerGeneration == 0:
		return newCondition(v1alpha1.ConditionReady, false, v1alpha1.ReasonStarting, "the worker has not reported yet")
	case len(idle) > 0:
		return newCondition(v1alpha1.ConditionReady, false, v1alpha1.ReasonTriggersNotRunning, strings.Join(idle, "\n"))
	case ts.Spec.Suspend:
		return newCondition(v1alpha1.ConditionReady, true, v1alpha1.ReasonSuspended, "")
	}
	return newCondition(v1alpha1.ConditionReady, true, v1alpha1.ReasonRunning, "")
}
