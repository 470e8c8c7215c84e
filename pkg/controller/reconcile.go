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
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// state are what a reconciliation found out about a TriggerService.
type state struct {
	report sandbox.Report
	// actionProblems says which Definition of an action is broken, and how.
	actionProblems diag.List
	// workerProblems is what is wrong with the worker's template or properties.
	workerProblems diag.List
	// conflict is why there is no worker, if it is not the user's doing.
	conflict error
	// deployment is the worker's; nil where there is none.
	deployment *appsv1.Deployment
}

// Reconcile makes the cluster what one TriggerService says.
func (r *reconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	ts := &v1alpha1.TriggerService{}
	err := r.client.Get(ctx, q.NamespacedName, ts)
	if apierrors.IsNotFound(err) {
		r.checks.remove(q.NamespacedName)
		return ctrl.Result{}, r.reconcileServiceAccount(ctx, q.Namespace)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if !ts.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.reconcileServiceAccount(ctx, q.Namespace)
	}
	found, err := r.reconcile(ctx, ts)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.patchStatus(ctx, ts, found)
}

// reconcile makes what ts needs.
func (r *reconciler) reconcile(ctx context.Context, ts *v1alpha1.TriggerService) (state, error) {
	var found state
	actions, from, err := r.resolveActions(ctx, ts)
	if err != nil {
		return found, err
	}
	if found.report, err = r.checks.check(ctx, newCheckRequest(ts, actions)); err != nil {
		return found, err
	}
	for _, name := range actionTypes(ts) {
		found.actionProblems = append(found.actionProblems, definitionProblems(found.report, name, from)...)
	}
	if err := r.reconcileServiceAccount(ctx, ts.Namespace); err != nil {
		return found, err
	}
	for _, err := range []error{r.writeActions(ctx, ts, found.report.ActiveTemplates(actions)), r.reconcileWebhookService(ctx, ts)} {
		if errors.As(err, &conflictError{}) {
			found.conflict = errors.Join(found.conflict, err)
		} else if err != nil {
			return found, err
		}
	}
	return found, r.reconcileDeployment(ctx, ts, &found)
}

// reconcileDeployment makes the Deployment of ts. While nothing of ts is valid none is made;
// one that is there stays, so that it goes on when ts is repaired.
func (r *reconciler) reconcileDeployment(ctx context.Context, ts *v1alpha1.TriggerService, found *state) error {
	desired, problems, err := r.desiredDeployment(ctx, ts)
	if found.workerProblems = problems; err != nil || desired == nil {
		return err
	}
	desired.OwnerReferences = []metav1.OwnerReference{ownerReference(ts, true)}
	current := &appsv1.Deployment{}
	if !slices.ContainsFunc(found.report.Triggers, func(t sandbox.TriggerReport) bool { return len(t.Problems) == 0 }) {
		err := r.client.Get(ctx, client.ObjectKeyFromObject(desired), current)
		if apierrors.IsNotFound(err) {
			return nil
		}
	}
	err = r.apply(ctx, desired, current, controlledBy(ts))
	if errors.As(err, &conflictError{}) {
		found.conflict = errors.Join(found.conflict, err)
		return nil
	}
	if err != nil {
		return err
	}
	if found.deployment = current; current.Name == "" { // it was made just now
		found.deployment = desired
	}
	return nil
}

// desiredDeployment returns the Deployment that ts asks for, nil where there are problems.
func (r *reconciler) desiredDeployment(ctx context.Context, ts *v1alpha1.TriggerService) (*appsv1.Deployment, diag.List, error) {
	var list diag.List
	source, err := r.workerTemplate(ctx, templateName(ts))
	if err != nil {
		return nil, nil, err
	}
	if source == "" {
		list.Add("spec.worker.template", "no Definition %q of type %s in %v", templateName(ts), corev1alpha1.TriggerWorker, r.SystemNamespaces)
		return nil, list, nil
	}
	properties, err := workerProperties(ts)
	if err != nil {
		list.Add("spec.worker.properties", "%v", err)
		return nil, list, nil
	}
	d, problems := workload.Deployment(source, workload.Input{
		Name: trigger.WorkerName(ts.Name), Namespace: ts.Namespace, ServiceAccount: serviceAccountName(ts),
		Service: ts.Name, Image: r.Image, Labels: workerLabels(ts), Properties: properties,
	})
	if len(problems) > 0 {
		return nil, problems.WithPrefix("spec.worker"), nil
	}
	return d, nil, nil
}

// definitionProblems returns what is wrong with the Definition of an action.
func definitionProblems(report sandbox.Report, name string, from map[string]string) diag.List {
	var list diag.List
	for _, p := range report.BrokenActions[name] {
		p.Path, p.Message = "Definition "+from[name], fmt.Sprintf("action %q: %s", name, p.Message)
		list = append(list, p)
	}
	return list
}

// workerTemplate returns the source of a worker template, "" where there is none.
func (r *reconciler) workerTemplate(ctx context.Context, name string) (string, error) {
	d, err := r.findDefinition(ctx, corev1alpha1.TriggerWorker, name, r.SystemNamespaces...)
	switch {
	case err != nil:
		return "", err
	case d != nil:
		return d.Spec.Templates[corev1alpha1.MainTemplate], nil
	case name == DefaultTemplate:
		return workload.Default(), nil
	}
	return "", nil
}

// workerProperties are what the user sets of the worker's template.
func workerProperties(ts *v1alpha1.TriggerService) (map[string]any, error) {
	properties := map[string]any{}
	if ts.Spec.Worker == nil || ts.Spec.Worker.Properties == nil {
		return properties, nil
	}
	if err := json.Unmarshal(ts.Spec.Worker.Properties.Raw, &properties); err != nil {
		return nil, errors.New("must be an object")
	}
	return properties, nil
}
