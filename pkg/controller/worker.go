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
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/lockdown"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// defaultTemplate is a name for no name, which the TriggerServices of the original
// kube-trigger have.
const defaultTemplate = "default"

// templateName returns the name of the worker template of ts. A TriggerService with
// properties and without a template has a worker of its own, and so has each one in a
// namespace of the system: its worker would act as accounts of administrators.
func (r *reconciler) templateName(ts *v1alpha1.TriggerService) string {
	name := ""
	if ts.Spec.Worker != nil {
		if name = ts.Spec.Worker.Template; name == defaultTemplate {
			name = ""
		}
		if name == "" && ts.Spec.Worker.Properties != nil {
			name = DedicatedTemplate
		}
	}
	if name == "" {
		name = cmp.Or(r.DefaultWorkerTemplate, NamespaceTemplate)
	}
	if name == NamespaceTemplate && r.isSystem(ts.Namespace) {
		return DedicatedTemplate
	}
	return name
}

// isSystem reports whether a namespace is one of Kubernetes, KubeVela or the controller.
func (r *reconciler) isSystem(namespace string) bool {
	return strings.HasPrefix(namespace, "kube-") || slices.Contains(r.SystemNamespaces, namespace)
}

// maxIsolated is the number of TriggerServices of a namespace that have a worker of their own
// because they are suspected of crashing that of the namespace.
const maxIsolated = 3

// isSuspected reports whether ts is suspected of crashing the worker of its namespace. A change
// of its spec ends that.
func isSuspected(ts *v1alpha1.TriggerService) bool {
	return ts.Status.SuspectedGeneration != 0 && ts.Status.SuspectedGeneration == ts.Generation
}

// activeTemplate returns the name of the worker template that ts has now: that of templateName,
// unless ts is suspected of crashing the worker of its namespace. Then it is a worker of its
// own, or none, "", if maxIsolated others have one for this reason; older ones come first.
func (r *reconciler) activeTemplate(ctx context.Context, ts *v1alpha1.TriggerService) (string, error) {
	name := r.templateName(ts)
	if name != NamespaceTemplate || !isSuspected(ts) {
		return name, nil
	}
	all, err := r.servicesIn(ctx, ts.Namespace)
	if err != nil {
		return "", err
	}
	suspected := slices.DeleteFunc(slices.Clone(all), func(other v1alpha1.TriggerService) bool {
		return !isSuspected(&other) || r.templateName(&other) != NamespaceTemplate
	})
	if lockdown.Older(suspected, ts) >= maxIsolated {
		return "", nil
	}
	return DedicatedTemplate, nil
}

// workerName returns the name of the Deployment of the worker of ts with a template.
func workerName(ts *v1alpha1.TriggerService, template string) string {
	switch template {
	case "":
		return ""
	case NamespaceTemplate:
		return trigger.NamespaceWorker
	}
	return trigger.WorkerName(ts.Name)
}

// workerLabels returns the labels that select the pods of the worker of ts with a template.
func workerLabels(ts *v1alpha1.TriggerService, template string) map[string]string {
	if template == NamespaceTemplate {
		return namespaceLabels()
	}
	return serviceLabels(ts)
}

// worker returns the worker template with the given name and its input for ts, or the problems
// of naming it.
func (r *reconciler) worker(ctx context.Context, ts *v1alpha1.TriggerService, name string) (*sandbox.Worker, diag.List, error) {
	var list diag.List
	source, problem, err := r.workerTemplate(ctx, name, ts.Namespace)
	if err != nil {
		return nil, nil, err
	}
	if problem != "" {
		list.Add("spec.worker.template", "%s", problem)
		return nil, list, nil
	}
	worker := &sandbox.Worker{Template: source, Input: workload.Input{
		Name: workerName(ts, name), Namespace: ts.Namespace, ServiceAccount: trigger.WorkerAccount,
		Service: ts.Name, TriggerAccount: trigger.Account(ts), Image: r.Image, Labels: workerLabels(ts, name),
	}}
	hasProperties := ts.Spec.Worker != nil && ts.Spec.Worker.Properties != nil
	switch {
	case name != NamespaceTemplate:
		if hasProperties {
			worker.Properties = ts.Spec.Worker.Properties.Raw
		}
	case hasProperties:
		list.Add("spec.worker.properties", "must be empty with template %q, whose worker is that of all TriggerServices in the namespace; use template %q", NamespaceTemplate, DedicatedTemplate)
		return nil, list, nil
	default: // the same for all TriggerServices
		worker.Input.Service, worker.Input.TriggerAccount = "", ""
	}
	return worker, nil, nil
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
	case name == NamespaceTemplate:
		return workload.Namespace(), "", nil
	case name == DedicatedTemplate:
		return workload.Dedicated(), "", nil
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

// reconcileDeployment applies the Deployment of the worker of ts. If no trigger is valid, it
// creates none, but keeps an existing one, which continues once ts is fixed.
func (r *reconciler) reconcileDeployment(ctx context.Context, ts *v1alpha1.TriggerService, owner metav1.OwnerReference, st *state) error {
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
	isOwn := desired.Name != trigger.NamespaceWorker
	if isOwn {
		owner = ownerReference(ts, true)
	}
	desired.OwnerReferences = []metav1.OwnerReference{owner}
	current := &appsv1.Deployment{}
	if !slices.ContainsFunc(st.report.Triggers, func(t sandbox.TriggerReport) bool { return len(t.Problems) == 0 }) {
		err := r.client.Get(ctx, client.ObjectKeyFromObject(desired), current)
		if apierrors.IsNotFound(err) {
			return nil
		}
	}
	err = r.apply(ctx, desired, current, func(o client.Object) bool {
		controller := metav1.GetControllerOf(o)
		return controller != nil && controller.UID == owner.UID || !isOwn && isManaged(o)
	})
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
	if isOwn {
		return nil
	}
	// The worker that ts may have had for itself.
	return r.delete(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ts.Namespace, Name: trigger.WorkerName(ts.Name)}}, controlledBy(ts))
}
