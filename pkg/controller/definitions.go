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
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// definitionReconciler writes the status of Definitions of actions and worker templates:
// whether the template is valid, its description, and the schema of an action's properties.
//
// The schema is in the status, and not in a ConfigMap as that of KubeVela's own definitions:
// it goes with the Definition, and the controller needs no right to write ConfigMaps. Checks
// run in the background, as those of TriggerServices do.
type definitionReconciler struct {
	*reconciler

	checks *checks
}

// setupDefinitions adds the controller of Definitions to m.
func setupDefinitions(m ctrl.Manager, r *reconciler, o Options) error {
	const name = "definition"
	d := definitionReconciler{reconciler: r}
	d.checks = newChecks(o, d.checkRequest)
	return ctrl.NewControllerManagedBy(m).
		Named(name).
		For(&corev1alpha1.Definition{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Channel(d.checks.finished, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](minRetryDelay, maxRetryDelay),
			NewQueue:    newQueue,
		}).
		Complete(r.stuck.watch(name, d))
}

// Reconcile implements reconcile.Reconciler for one Definition.
func (r definitionReconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	d := &corev1alpha1.Definition{}
	if err := client.IgnoreNotFound(r.client.Get(ctx, q.NamespacedName, d)); err != nil {
		return ctrl.Result{}, err
	}
	if d.Name == "" || !d.DeletionTimestamp.IsZero() || !isTemplate(d) ||
		d.Status.ObservedGeneration == d.Generation && d.Status.CheckedBy == r.Version {
		r.checks.remove(q.NamespacedName)
		return ctrl.Result{}, nil
	}
	hash, err := hashOf(newDefinitionRequest(d))
	if err != nil {
		return ctrl.Result{}, err
	}
	report, err := r.checks.check(ctx, q.NamespacedName, hash)
	if errors.Is(err, errChecking) {
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.patchStatus(ctx, d, report)
}

// patchStatus writes the status of d. A cluster whose CRD has no status, such as that of an
// earlier version, is left as it is.
func (r definitionReconciler) patchStatus(ctx context.Context, d *corev1alpha1.Definition, report sandbox.Report) error {
	next, err := runtime.DefaultUnstructuredConverter.ToUnstructured(r.newStatus(d, report))
	if err != nil {
		return err
	}
	patch := &unstructured.Unstructured{Object: map[string]any{"status": next}}
	patch.SetGroupVersionKind(corev1alpha1.GroupVersion().WithKind(corev1alpha1.DefinitionKind))
	patch.SetNamespace(d.Namespace)
	patch.SetName(d.Name)
	err = r.client.Status().Patch(ctx, patch, client.Apply, client.FieldOwner(FieldManager), client.ForceOwnership)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("patch status of Definition %s/%s: %w", d.Namespace, d.Name, err)
	}
	return nil
}

// newStatus returns the status of d after a check.
func (r definitionReconciler) newStatus(d *corev1alpha1.Definition, report sandbox.Report) *corev1alpha1.DefinitionStatus {
	problems := ownProblems(d, report)
	c := newCondition(corev1alpha1.ConditionValidated, len(problems) == 0, corev1alpha1.ReasonValid, "")
	if len(problems) > 0 {
		c.Reason, c.Message = corev1alpha1.ReasonInvalid, problems.Error()
	}
	out := &corev1alpha1.DefinitionStatus{ObservedGeneration: d.Generation, CheckedBy: r.Version}
	if report.Refused {
		out.CheckedBy = "" // after a restart it is checked again
	}
	if about := report.Description; about != nil {
		out.Description = diag.Truncate(about.Text, sandbox.MaxMessage)
		if len(about.ParameterSchema) > 0 {
			out.ParameterSchema = &runtime.RawExtension{Raw: about.ParameterSchema}
		}
		if about.NoSchema != "" && len(problems) == 0 {
			c.Message = "parameterSchema is omitted: " + about.NoSchema
		}
	}
	c.ObservedGeneration, c.Message, c.LastTransitionTime = d.Generation, diag.Truncate(c.Message, maxMessage), metav1.Now()
	for _, before := range d.Status.Conditions {
		if before.Type == c.Type && before.Status == c.Status {
			c.LastTransitionTime = before.LastTransitionTime
		}
	}
	out.Conditions = []metav1.Condition{c}
	return out
}

// checkRequest returns the request that checks the Definition key.
func (r definitionReconciler) checkRequest(ctx context.Context, key types.NamespacedName) (sandbox.Request, error) {
	d := &corev1alpha1.Definition{}
	if err := r.client.Get(ctx, key, d); err != nil {
		return sandbox.Request{}, err
	}
	return newDefinitionRequest(d), nil
}

// isTemplate reports whether d is an action or a worker template.
func isTemplate(d *corev1alpha1.Definition) bool {
	return d.Spec.Type == corev1alpha1.TriggerAction || d.Spec.Type == corev1alpha1.TriggerWorker
}

// newDefinitionRequest returns a request that checks and describes d, a template. It checks
// nothing if d has no source.
func newDefinitionRequest(d *corev1alpha1.Definition) sandbox.Request {
	source := d.Spec.Templates[corev1alpha1.MainTemplate]
	request := sandbox.Request{Describe: true}
	request.Service.Namespace = d.Namespace // namespaces take turns
	switch {
	case source == "":
	case d.Spec.Type == corev1alpha1.TriggerWorker:
		request.Worker = &sandbox.Worker{Template: source, Input: workload.Input{Name: "x", Namespace: "x", Service: "x", ServiceAccount: "x", Image: "x"}}
	default:
		request.Actions = map[string]sandbox.Action{d.Name: {Source: source}}
	}
	return request
}

// ownProblems returns the problems of d in the report of its request.
func ownProblems(d *corev1alpha1.Definition, report sandbox.Report) diag.List {
	const main = `spec.templates["` + corev1alpha1.MainTemplate + `"]`
	if d.Spec.Templates[corev1alpha1.MainTemplate] == "" {
		return diag.List{{Path: main, Message: "is required"}}
	}
	return append(report.BrokenActions[d.Name], templateProblems(report.WorkerProblems)...).WithPrefix(main)
}

// templateProblems returns those problems that are the template's own. A property
// without a default is not one of them, although it is unset here.
func templateProblems(all diag.List) diag.List {
	var list diag.List
	for _, p := range all {
		if strings.HasPrefix(p.Path, "properties") {
			continue
		}
		p.Path = strings.TrimPrefix(p.Path, "template")
		list = append(list, p)
	}
	return list
}
