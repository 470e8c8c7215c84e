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
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// state is the result of one reconciliation of a TriggerService.
type state struct {
	// forbidden is what the lockdown forbids. If there is any, nothing else is set.
	forbidden diag.List
	report    sandbox.Report
	// actionProblems are the errors of the Definitions of its actions.
	actionProblems diag.List
	// workerProblems are the errors of the worker's template and properties.
	workerProblems diag.List
	// conflict is set if a needed object exists and has another owner.
	conflict error
	// deployment is the worker's Deployment, or nil.
	deployment *appsv1.Deployment
}

// Reconcile implements reconcile.Reconciler for one TriggerService.
func (r *reconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	ts := &v1alpha1.TriggerService{}
	err := r.client.Get(ctx, q.NamespacedName, ts)
	if apierrors.IsNotFound(err) {
		r.checks.remove(q.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil || !ts.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, err
	}
	st, err := r.reconcile(ctx, ts)
	if errors.Is(err, errChecking) {
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.patchStatus(ctx, ts, st)
}

// reconcile validates ts and applies the objects of its worker. It returns an error
// only if the reconciliation has to be retried.
func (r *reconciler) reconcile(ctx context.Context, ts *v1alpha1.TriggerService) (state, error) {
	var st state
	var err error
	if st.forbidden, err = r.checkLockdown(ctx, ts); err != nil {
		return st, err
	}
	if len(st.forbidden) > 0 {
		return st, r.stopWorker(ctx, ts)
	}
	in, err := r.inputs(ctx, ts)
	if err != nil {
		return st, err
	}
	if st.report, err = r.check(ctx, in.request, in.accepted); err != nil {
		return st, err
	}
	st.report, err = r.accept(ctx, ts, in.request, st.report, in.accepted)
	if errors.As(err, &conflictError{}) {
		st.conflict = err
	} else if err != nil {
		return st, err
	}
	st.workerProblems = slices.Concat(in.workerProblems, st.report.WorkerProblems.WithPrefix("spec.worker"))
	for _, name := range actionTypes(ts) {
		st.actionProblems = append(st.actionProblems, definitionProblems(st.report, name, in.origins)...)
	}
	if serviceAccountName(ts) == DefaultServiceAccount {
		if err := (accountReconciler{r}).ensure(ctx, ts.Namespace); err != nil {
			return st, err
		}
	}
	if err := r.reconcileWebhookService(ctx, ts); errors.As(err, &conflictError{}) {
		st.conflict = errors.Join(st.conflict, err)
	} else if err != nil {
		return st, err
	}
	return st, r.reconcileDeployment(ctx, ts, &st)
}

// inputs are what a TriggerService is checked with.
type inputs struct {
	request sandbox.Request
	// accepted is the accepted version; empty if there is none.
	accepted acceptance.Version
	// origins are the Definitions of actions, by the action's name.
	origins map[string]string
	// workerProblems are the errors of naming the worker template.
	workerProblems diag.List
}

func (r *reconciler) inputs(ctx context.Context, ts *v1alpha1.TriggerService) (in inputs, err error) {
	if in.accepted, err = r.acceptedVersion(ctx, ts); err != nil {
		return in, err
	}
	actions, origins, err := r.resolveActions(ctx, ts, in.accepted.Actions)
	if err != nil {
		return in, err
	}
	worker, problems, err := r.worker(ctx, ts)
	if err != nil {
		return in, err
	}
	in.request, in.origins, in.workerProblems = newCheckRequest(ts, actions, worker), origins, problems
	return in, nil
}

// checkRequest returns the request that checks the TriggerService key.
func (r *reconciler) checkRequest(ctx context.Context, key types.NamespacedName) (sandbox.Request, error) {
	ts := &v1alpha1.TriggerService{}
	if err := r.client.Get(ctx, key, ts); err != nil {
		return sandbox.Request{}, err
	}
	in, err := r.inputs(ctx, ts)
	return in.request, err
}

// reconcileDeployment applies the worker Deployment of ts. If no trigger is valid, it
// creates none, but keeps an existing one, which continues once ts is fixed.
func (r *reconciler) reconcileDeployment(ctx context.Context, ts *v1alpha1.TriggerService, st *state) error {
	if st.report.Deployment == nil {
		return nil
	}
	key, err := r.signer.load(ctx)
	if err != nil {
		return err
	}
	desired := st.report.Deployment.DeepCopy() // the report is cached
	workload.SetControllerKey(desired, acceptance.FormatKey(key))
	workload.AppendArgs(desired, r.Lockdown.WorkerFlags()...)
	desired.OwnerReferences = []metav1.OwnerReference{ownerReference(ts, true)}
	current := &appsv1.Deployment{}
	if !slices.ContainsFunc(st.report.Triggers, func(t sandbox.TriggerReport) bool { return len(t.Problems) == 0 }) {
		err := r.client.Get(ctx, client.ObjectKeyFromObject(desired), current)
		if apierrors.IsNotFound(err) {
			return nil
		}
	}
	err = r.apply(ctx, desired, current, controlledBy(ts))
	if errors.As(err, &conflictError{}) {
		st.conflict = errors.Join(st.conflict, err)
		return nil
	}
	if err != nil {
		return err
	}
	if st.deployment = current; current.Name == "" { // just created
		st.deployment = desired
	}
	return r.releaseWorker(ctx, current)
}

// worker returns the worker template of ts and its input, or the problems of naming it.
func (r *reconciler) worker(ctx context.Context, ts *v1alpha1.TriggerService) (*sandbox.Worker, diag.List, error) {
	var list diag.List
	source, problem, err := r.workerTemplate(ctx, templateName(ts), ts.Namespace)
	if err != nil {
		return nil, nil, err
	}
	if problem != "" {
		list.Add("spec.worker.template", "%s", problem)
		return nil, list, nil
	}
	worker := &sandbox.Worker{Template: source, Input: workload.Input{
		Name: trigger.WorkerName(ts.Name), Namespace: ts.Namespace, ServiceAccount: serviceAccountName(ts),
		Service: ts.Name, Image: r.Image, Labels: workerLabels(ts),
	}}
	if ts.Spec.Worker != nil && ts.Spec.Worker.Properties != nil {
		worker.Properties = ts.Spec.Worker.Properties.Raw
	}
	return worker, nil, nil
}

// definitionProblems returns the problems of an action's Definition, with the
// Definition as path. origins has the Definitions by action name.
func definitionProblems(report sandbox.Report, name string, origins map[string]string) diag.List {
	var list diag.List
	for _, p := range report.BrokenActions[name] {
		p.Path, p.Message = "Definition "+origins[name], fmt.Sprintf("action %q: %s", name, p.Message)
		list = append(list, p)
	}
	return list
}

// workerTemplate returns the CUE of a worker template for a namespace, or the reason why
// there is none.
func (r *reconciler) workerTemplate(ctx context.Context, name, namespace string) (source, problem string, err error) {
	d, err := r.findDefinition(ctx, corev1alpha1.TriggerWorker, name, r.SystemNamespaces...)
	switch {
	case err != nil:
		return "", "", err
	case d != nil && !allowedNamespace(d.Annotations, namespace):
		return "", fmt.Sprintf("the worker template %q is not allowed in namespace %s; its annotation %s lists the namespaces", name, namespace, NamespacesAnnotation), nil
	case d != nil:
		return d.Spec.Templates[corev1alpha1.MainTemplate], "", nil
	case name == DefaultTemplate:
		return workload.Default(), "", nil
	}
	return "", fmt.Sprintf("no Definition %q of type %s in namespaces %v", name, corev1alpha1.TriggerWorker, r.SystemNamespaces), nil
}

// allowedNamespace reports whether the NamespacesAnnotation of a worker template lists
// namespace. Without the annotation, all namespaces are allowed.
func allowedNamespace(annotations map[string]string, namespace string) bool {
	list, ok := annotations[NamespacesAnnotation]
	if !ok {
		return true
	}
	return slices.ContainsFunc(strings.Split(list, ","), func(pattern string) bool {
		match, err := path.Match(strings.TrimSpace(pattern), namespace)
		return err == nil && match
	})
}
