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
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	"github.com/kubevela/kube-trigger/pkg/admission"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// NewValidator returns a validator for TriggerServices, and for Definitions of actions
// and worker templates. It rejects an object whose condition Validated would be
// false; an action that does not exist is only a warning, since it may be created
// later, and so is what the lockdown forbids and an update does not change. Updates that do not change the spec, and other kinds, are allowed. It reads
// the cache of m, which does not have to be the leader.
func NewValidator(m ctrl.Manager, o Options) admission.Validator {
	v := &validator{
		reconciler: &reconciler{Options: o, client: m.GetClient(), reader: m.GetAPIReader(), apiReader: m.GetAPIReader()},
		mapper:     m.GetRESTMapper(),
	}
	return v.validate
}

type validator struct {
	*reconciler
	mapper meta.RESTMapper
}

func (v *validator) validate(ctx context.Context, q *admissionv1.AdmissionRequest) (admission.Verdict, error) {
	if q.SubResource != "" || q.Operation != admissionv1.Create && q.Operation != admissionv1.Update {
		return admission.Verdict{}, nil
	}
	switch q.Kind.Group + "/" + q.Kind.Kind {
	case v1alpha1.Group + "/" + v1alpha1.TriggerServiceKind:
		var old, updated v1alpha1.TriggerService
		if err := decodeObjects(q, &old, &updated); err != nil {
			return admission.Verdict{}, err
		}
		if !updated.DeletionTimestamp.IsZero() || q.Operation == admissionv1.Update && equality.Semantic.DeepEqual(old.Spec, updated.Spec) {
			return admission.Verdict{}, nil
		}
		if updated.Namespace = q.Namespace; updated.Name == "" { // the API server generates it later
			updated.Name = updated.GenerateName + "x"
		}
		out, err := v.validateTriggerService(ctx, &updated, trigger.Checks{WarnOnly: q.Operation == admissionv1.Update})
		if err != nil {
			return out, err
		}
		out.Warnings = append(out.Warnings, trigger.EmptyFilters(q.Object.Raw)...)
		forbidden, err := v.validateLockdown(ctx, q.Operation, &old, &updated)
		out.Problems = append(out.Problems, forbidden.Problems...)
		out.Warnings = append(out.Warnings, forbidden.Warnings...)
		return out, err
	case corev1alpha1.Group + "/" + corev1alpha1.DefinitionKind:
		var old, updated corev1alpha1.Definition
		if err := decodeObjects(q, &old, &updated); err != nil {
			return admission.Verdict{}, err
		}
		if !updated.DeletionTimestamp.IsZero() || q.Operation == admissionv1.Update && equality.Semantic.DeepEqual(old.Spec, updated.Spec) {
			return admission.Verdict{}, nil
		}
		return v.validateDefinition(ctx, &updated, q.Namespace)
	}
	return admission.Verdict{}, nil
}

// decodeObjects decodes the old object of q, if there is one, and the new one.
func decodeObjects(q *admissionv1.AdmissionRequest, old, updated any) error {
	if len(q.OldObject.Raw) > 0 {
		if err := json.Unmarshal(q.OldObject.Raw, old); err != nil {
			return fmt.Errorf("decode old %s: %w", q.Kind.Kind, err)
		}
	}
	if err := json.Unmarshal(q.Object.Raw, updated); err != nil {
		return fmt.Errorf("decode %s: %w", q.Kind.Kind, err)
	}
	return nil
}

// validateTriggerService returns the verdict for a TriggerService. A broken action whose
// last valid template stays in use is a warning.
func (v *validator) validateTriggerService(ctx context.Context, ts *v1alpha1.TriggerService, checks trigger.Checks) (admission.Verdict, error) {
	var out admission.Verdict
	d, err := v.acceptedDefinition(ctx, ts)
	if err != nil {
		return out, err
	}
	resolved, err := v.resolveActions(ctx, ts, acceptance.Unverified(d).Actions)
	if err != nil {
		return out, err
	}
	worker, problems, err := v.worker(ctx, ts, v.templateName(ts))
	if err != nil {
		return out, err
	}
	request := newCheckRequest(ts, resolved, worker)
	request.Rights, request.Checks = true, checks
	if v.Kinds != nil {
		request.Kinds = v.Kinds(ctx, ts)
	}
	report, err := v.Checker.Check(ctx, request)
	if errors.Is(err, sandbox.ErrResourceExceeded) {
		out.Problems.Add("spec", "%v", err)
		return out, nil
	}
	if err != nil {
		return out, err
	}
	for _, name := range actionTypes(ts) {
		broken := definitionProblems(report, name, resolved.origins)
		if resolved.actions[name].Previous == "" {
			out.Problems = append(out.Problems, broken...)
			continue
		}
		for _, p := range broken {
			out.Warnings = append(out.Warnings, p.String())
		}
	}
	for i, t := range report.Triggers {
		for _, p := range t.Problems.Causes() {
			if _, unknown := report.UnknownActions[p.Path]; unknown {
				out.Warnings = append(out.Warnings, p.String())
			} else {
				out.Problems = append(out.Problems, p)
			}
		}
		for _, w := range t.Warnings {
			out.Warnings = append(out.Warnings, w.String())
		}
		if t.MatchesAll {
			out.Warnings = append(out.Warnings, fmt.Sprintf("spec.triggers[%d].filter: is always true", i))
		}
	}
	out.Warnings = append(out.Warnings, trigger.Warnings(ts)...)
	out.Problems = append(out.Problems, problems...)
	if out.Problems = append(out.Problems, report.WorkerProblems.WithPrefix("spec.worker")...); len(out.Problems) == 0 {
		out.Warnings = append(out.Warnings, v.rightWarnings(ctx, ts, report)...)
	}
	return out, nil
}

// validateDefinition returns the verdict for a Definition of an action or worker
// template. Other types of Definitions are allowed.
func (v *validator) validateDefinition(ctx context.Context, d *corev1alpha1.Definition, namespace string) (admission.Verdict, error) {
	var out admission.Verdict
	if d.Spec.Type != corev1alpha1.TriggerAction && d.Spec.Type != corev1alpha1.TriggerWorker {
		return out, nil
	}
	if d.Spec.Templates[corev1alpha1.MainTemplate] != "" && d.Spec.Type == corev1alpha1.TriggerWorker && !slices.Contains(v.SystemNamespaces, namespace) {
		out.Warnings = append(out.Warnings, fmt.Sprintf("worker templates are only read from namespaces %v", v.SystemNamespaces))
		return out, nil
	}
	report, err := v.Checker.Check(ctx, newDefinitionRequest(d))
	if errors.Is(err, sandbox.ErrResourceExceeded) {
		report, err = sandbox.Refuse(newDefinitionRequest(d), err.Error()), nil
	}
	out.Problems = ownProblems(d, report)
	return out, err
}
