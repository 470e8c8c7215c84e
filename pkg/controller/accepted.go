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
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// signer has the key that accepted versions are signed with. It reads the Secret when the
// key is first needed, which is when this process leads. It is safe for concurrent use.
type signer struct {
	secret acceptance.KeySecret

	mu  sync.Mutex
	key ed25519.PrivateKey
}

func (s *signer) load(ctx context.Context) (ed25519.PrivateKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil {
		return s.key, nil
	}
	key, err := s.secret.Load(ctx)
	if err != nil {
		return nil, err
	}
	s.key = key
	return key, nil
}

// acceptedDefinition returns the Definition with the accepted version of ts. It is empty
// if there is none.
func (r *reconciler) acceptedDefinition(ctx context.Context, ts *v1alpha1.TriggerService) (*corev1alpha1.Definition, error) {
	d := &corev1alpha1.Definition{}
	key := types.NamespacedName{Namespace: ts.Namespace, Name: trigger.AcceptedName(ts.Name)}
	if err := client.IgnoreNotFound(r.client.Get(ctx, key, d)); err != nil {
		return nil, fmt.Errorf("get Definition %s: %w", key, err)
	}
	return d, nil
}

// acceptedVersion returns the accepted version of ts. It is empty if there is none that
// the controller has signed.
func (r *reconciler) acceptedVersion(ctx context.Context, ts *v1alpha1.TriggerService) (acceptance.Version, error) {
	key, err := r.signer.load(ctx)
	if err != nil {
		return acceptance.Version{}, err
	}
	d, err := r.acceptedDefinition(ctx, ts)
	if err != nil || d.Name == "" {
		return acceptance.Version{}, err
	}
	public, _ := key.Public().(ed25519.PublicKey)
	v, err := acceptance.Open(public, d, ts)
	if err != nil {
		ctrl.LoggerFrom(ctx).Info("Accepted version is ignored", "reason", err.Error())
	}
	return v, nil
}

// check returns the report of a request: that of the accepted version if it is the same
// request, else that of a new check, or errChecking.
func (r *reconciler) check(ctx context.Context, request sandbox.Request, accepted acceptance.Version) (sandbox.Report, error) {
	hash, err := hashOf(request)
	if err != nil {
		return sandbox.Report{}, err
	}
	key := client.ObjectKeyFromObject(&request.Service)
	if r.verdictHash(hash) != accepted.Verdict.Hash {
		return r.checks.check(ctx, key, hash)
	}
	var report sandbox.Report
	if err := json.Unmarshal(accepted.Verdict.Report, &report); err != nil {
		return report, fmt.Errorf("decode report of accepted version: %w", err)
	}
	r.checks.remove(key)
	return report, nil
}

// verdictHash identifies the verdict about the request with a hash: the same version of
// the program returns the same report.
func (r *reconciler) verdictHash(hash string) string { return r.Version + " " + hash }

// newVersion returns the version of ts to accept after the check of in, which returned
// report.
func (r *reconciler) newVersion(ts *v1alpha1.TriggerService, in inputs, report sandbox.Report) (acceptance.Version, error) {
	request, accepted := in.request, in.accepted
	spec, err := withConfig(ts.Spec, in.config)
	if err != nil {
		return acceptance.Version{}, fmt.Errorf("add the objects of the component: %w", err)
	}
	v := acceptance.Version{
		Namespace: ts.Namespace, Name: ts.Name, UID: ts.UID, Generation: ts.Generation,
		Worker: workerName(ts, in.template), WebhookPort: in.webhookPort,
		Spec: spec, Rejected: map[string]string{}, Actions: report.ActiveTemplates(request.Actions),
		InvalidActions: report.InvalidActions(request.Actions),
	}
	for _, t := range report.Triggers {
		if !t.ResourceExceeded {
			continue
		}
		var reasons []string
		for _, p := range t.Problems {
			reasons = append(reasons, p.Message)
		}
		v.Rejected[t.Name] = strings.Join(reasons, "; ")
	}
	// The next request has no previous template of an action that is now active.
	request.Actions = maps.Clone(request.Actions)
	for name, a := range request.Actions {
		if len(report.BrokenActions[name]) == 0 {
			request.Actions[name] = sandbox.Action{Source: a.Source}
		}
	}
	if report.Refused {
		return v, nil // without a verdict: after a restart it is checked again
	}
	hash, err := hashOf(request)
	if err != nil {
		return v, err
	}
	v.Verdict.Hash = r.verdictHash(hash)
	if v.Verdict.Hash == accepted.Verdict.Hash {
		v.Verdict = accepted.Verdict
		return v, nil
	}
	v.Verdict.Report, err = json.Marshal(report)
	return v, err
}

// accept writes the version of ts that the worker runs. If the version is too large,
// nothing is written, and the returned report refuses the request; else it is report.
func (r *reconciler) accept(ctx context.Context, ts *v1alpha1.TriggerService, in inputs, report sandbox.Report) (sandbox.Report, error) {
	key, err := r.signer.load(ctx)
	if err != nil {
		return report, err
	}
	v, err := r.newVersion(ts, in, report)
	if err != nil {
		return report, err
	}
	d, err := acceptance.Sign(key, v)
	if errors.Is(err, acceptance.ErrTooLarge) {
		return sandbox.Refuse(in.request, err.Error()), nil
	}
	if err != nil {
		return report, err
	}
	return report, r.applyAccepted(ctx, ts, d)
}

// unassign stops ts: no worker may run its accepted version any more.
func (r *reconciler) unassign(ctx context.Context, ts *v1alpha1.TriggerService) error {
	v, err := r.acceptedVersion(ctx, ts)
	if err != nil || v.Worker == "" {
		return err
	}
	v.Worker = ""
	key, err := r.signer.load(ctx)
	if err != nil {
		return err
	}
	d, err := acceptance.Sign(key, v)
	if err != nil {
		return err
	}
	return r.applyAccepted(ctx, ts, d)
}

// applyAccepted applies the Definition of an accepted version of ts.
func (r *reconciler) applyAccepted(ctx context.Context, ts *v1alpha1.TriggerService, d *corev1alpha1.Definition) error {
	maps.Copy(d.Labels, serviceLabels(ts))
	d.OwnerReferences = []metav1.OwnerReference{ownerReference(ts, true)}
	return r.apply(ctx, d, &corev1alpha1.Definition{}, controlledBy(ts))
}
