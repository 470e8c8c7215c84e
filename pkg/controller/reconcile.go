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
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/reference"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// state is the result of one reconciliation of a TriggerService.
type state struct {
	// forbidden is what the lockdown forbids. If there is any, nothing else is set.
	forbidden diag.List
	// stopped is set if no worker runs the TriggerService because it is suspected of crashing
	// that of the namespace. Then nothing else is set.
	stopped bool
	report  sandbox.Report
	// actionProblems are the errors of the Definitions of its actions.
	actionProblems diag.List
	// workerProblems are the errors of the worker's template and properties.
	workerProblems diag.List
	// conflict is set if a needed object exists and has another owner.
	conflict error
	// denied is set if the API server denied a write.
	denied error
	// deployment is the worker's Deployment, or nil.
	deployment *appsv1.Deployment
}

// Reconcile implements reconcile.Reconciler for one TriggerService.
func (r *reconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	ts := &v1alpha1.TriggerService{}
	err := r.client.Get(ctx, q.NamespacedName, ts)
	if apierrors.IsNotFound(err) {
		r.checks.remove(q.NamespacedName)
		r.webhookPorts.release(q.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil || !ts.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, err
	}
	st, err := r.reconcile(ctx, ts)
	if errors.Is(err, errChecking) {
		return ctrl.Result{}, nil
	}
	if errors.As(err, &deniedError{}) {
		st.denied = err
		return ctrl.Result{}, errors.Join(err, r.patchStatus(ctx, ts, st))
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
		return st, r.unassign(ctx, ts)
	}
	in, err := r.inputs(ctx, ts)
	if err != nil {
		return st, err
	}
	if st.stopped = in.template == ""; st.stopped {
		return st, r.unassign(ctx, ts)
	}
	if st.report, err = r.check(ctx, in.request, in.accepted); err != nil {
		return st, err
	}
	// Workers need their rights before they run the version.
	owner, err := (namespaceReconciler{r}).workerOwner(ctx, ts)
	if errors.As(err, &conflictError{}) {
		st.conflict = err
		return st, nil
	}
	if err != nil {
		return st, err
	}
	st.report, err = r.accept(ctx, ts, in, st.report)
	st.workerProblems = slices.Concat(in.workerProblems, st.report.WorkerProblems.WithPrefix("spec.worker"))
	for _, name := range actionTypes(ts) {
		st.actionProblems = append(st.actionProblems, definitionProblems(st.report, name, in.origins)...)
	}
	if errors.As(err, &conflictError{}) {
		st.conflict = err
	} else if err != nil {
		return st, err
	}
	if err := r.reconcileDeployment(ctx, ts, owner, &st); err != nil {
		return st, err
	}
	if err := r.reconcileWebhookService(ctx, ts, in.template, in.webhookPort); errors.As(err, &conflictError{}) {
		st.conflict = errors.Join(st.conflict, err)
	} else if err != nil {
		return st, err
	}
	return st, nil
}

// inputs are what a TriggerService is checked with.
type inputs struct {
	request sandbox.Request
	// accepted is the accepted version; empty if there is none.
	accepted acceptance.Version
	// config are the ConfigMaps and Secrets of the component that it may watch.
	config []reference.Reference
	// origins are the objects that define actions, by the action's name.
	origins map[string]string
	// workerProblems are the errors of naming the worker template.
	workerProblems diag.List
	// template is the name of the worker template. If it is empty, no worker runs the
	// TriggerService, and nothing else is set.
	template string
	// webhookPort is the port of the webhooks in the worker of the namespace; 0 if there
	// are none, or the worker is another one.
	webhookPort int32
}

func (r *reconciler) inputs(ctx context.Context, ts *v1alpha1.TriggerService) (in inputs, err error) {
	if in.template, err = r.activeTemplate(ctx, ts); err != nil || in.template == "" {
		return in, err
	}
	if in.accepted, err = r.acceptedVersion(ctx, ts); err != nil {
		return in, err
	}
	if in.config, err = r.grantedConfig(ctx, ts); err != nil {
		return in, err
	}
	resolved, err := r.resolveActions(ctx, ts, in.accepted.Actions)
	if err != nil {
		return in, err
	}
	if in.template == NamespaceTemplate && hasWebhook(ts) {
		if in.webhookPort, err = r.webhookPort(ctx, ts); err != nil {
			return in, err
		}
		if in.webhookPort == 0 { // the worker of the namespace has no free port
			in.template = DedicatedTemplate
		}
	}
	worker, problems, err := r.worker(ctx, ts, in.template)
	if err != nil {
		return in, err
	}
	in.request, in.origins, in.workerProblems = newCheckRequest(ts, resolved, worker), resolved.origins, problems
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

// definitionProblems returns the problems of an action's definition, with the
// object that defines it as path. origins has these objects by action name.
func definitionProblems(report sandbox.Report, name string, origins map[string]string) diag.List {
	var list diag.List
	for _, p := range report.BrokenActions[name] {
		p.Path, p.Message = origins[name], fmt.Sprintf("action %q: %s", name, p.Message)
		list = append(list, p)
	}
	return list
}
