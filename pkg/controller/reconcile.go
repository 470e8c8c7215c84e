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

// findings are what a reconciliation found out about a TriggerService.
type findings struct {
	report sandbox.Report
	// broken says which Definition of an action is broken, and how.
	broken diag.List
	// worker is what is wrong with the worker's template or properties.
	worker diag.List
	// blocked is why there is no worker, if it is not the user's doing.
	blocked error
	// deployment is the worker's; nil where there is none.
	deployment *appsv1.Deployment
}

// Reconcile makes the cluster what one TriggerService says.
func (r *reconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	ts := &v1alpha1.TriggerService{}
	err := r.client.Get(ctx, q.NamespacedName, ts)
	if apierrors.IsNotFound(err) {
		r.checks.forget(q.NamespacedName)
		return ctrl.Result{}, r.account(ctx, q.Namespace)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if !ts.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.account(ctx, q.Namespace)
	}
	found, err := r.realize(ctx, ts)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.say(ctx, ts, found)
}

// realize makes what ts needs.
func (r *reconciler) realize(ctx context.Context, ts *v1alpha1.TriggerService) (findings, error) {
	var found findings
	actions, from, err := r.actions(ctx, ts)
	if err != nil {
		return found, err
	}
	if found.report, err = r.checks.check(ctx, request(ts, actions)); err != nil {
		return found, err
	}
	for _, name := range actionTypes(ts) {
		found.broken = append(found.broken, brokenAction(found.report, name, from)...)
	}
	if err := r.account(ctx, ts.Namespace); err != nil {
		return found, err
	}
	for _, err := range []error{r.handOver(ctx, ts, found.report.InForce(actions)), r.listener(ctx, ts)} {
		if errors.As(err, &taken{}) {
			found.blocked = errors.Join(found.blocked, err)
		} else if err != nil {
			return found, err
		}
	}
	return found, r.worker(ctx, ts, &found)
}

// worker makes the Deployment of ts. While nothing of ts is valid none is made;
// one that is there stays, so that it goes on when ts is repaired.
func (r *reconciler) worker(ctx context.Context, ts *v1alpha1.TriggerService, found *findings) error {
	desired, problems, err := r.desired(ctx, ts)
	if found.worker = problems; err != nil || desired == nil {
		return err
	}
	desired.OwnerReferences = []metav1.OwnerReference{ownedBy(ts, true)}
	current := &appsv1.Deployment{}
	if !slices.ContainsFunc(found.report.Triggers, func(t sandbox.Trigger) bool { return len(t.Problems) == 0 }) {
		err := r.client.Get(ctx, client.ObjectKeyFromObject(desired), current)
		if apierrors.IsNotFound(err) {
			return nil
		}
	}
	err = r.apply(ctx, desired, current, controlledBy(ts))
	if errors.As(err, &taken{}) {
		found.blocked = errors.Join(found.blocked, err)
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

// desired returns the Deployment that ts asks for, nil where there are problems.
func (r *reconciler) desired(ctx context.Context, ts *v1alpha1.TriggerService) (*appsv1.Deployment, diag.List, error) {
	var list diag.List
	source, err := r.template(ctx, templateName(ts))
	if err != nil {
		return nil, nil, err
	}
	if source == "" {
		list.Add("spec.worker.template", "no Definition %q of type %s in %v", templateName(ts), corev1alpha1.TriggerWorker, r.SystemNamespaces)
		return nil, list, nil
	}
	properties, err := properties(ts)
	if err != nil {
		list.Add("spec.worker.properties", "%v", err)
		return nil, list, nil
	}
	d, problems := workload.Deployment(source, workload.Input{
		Name: trigger.WorkerName(ts.Name), Namespace: ts.Namespace, ServiceAccount: accountName(ts),
		Service: ts.Name, Image: r.Image, Labels: workerLabels(ts), Properties: properties,
	})
	if len(problems) > 0 {
		return nil, problems.Under("spec.worker"), nil
	}
	return d, nil, nil
}

// brokenAction returns what is wrong with the Definition of an action.
func brokenAction(report sandbox.Report, name string, from map[string]string) diag.List {
	var list diag.List
	for _, p := range report.Broken[name] {
		p.Path, p.Message = "Definition "+from[name], fmt.Sprintf("action %q: %s", name, p.Message)
		list = append(list, p)
	}
	return list
}

// template returns the source of a worker template, "" where there is none.
func (r *reconciler) template(ctx context.Context, name string) (string, error) {
	d, err := r.definition(ctx, corev1alpha1.TriggerWorker, name, r.SystemNamespaces...)
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

// properties are what the user sets of the worker's template.
func properties(ts *v1alpha1.TriggerService) (map[string]any, error) {
	properties := map[string]any{}
	if ts.Spec.Worker == nil || ts.Spec.Worker.Properties == nil {
		return properties, nil
	}
	if err := json.Unmarshal(ts.Spec.Worker.Properties.Raw, &properties); err != nil {
		return nil, errors.New("must be an object")
	}
	return properties, nil
}
