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

// Package controller gives every TriggerService a worker.
//
// What it guarantees:
//
//   - A worker is a Deployment of the TriggerService's own namespace, whose pods
//     run as a ServiceAccount of that namespace. No user chooses its image or
//     command; worker templates are read from the system namespaces only.
//   - A change of triggers changes no Deployment: the worker watches its
//     TriggerService itself.
//   - Nothing is written that is there already.
//   - Where there are webhooks, a Service leads to the worker that works.
//   - An object of the same name that somebody else made is left alone, and
//     reported.
//   - What a worker runs with is owned by its TriggerService and goes with it.
//   - Actions that Definitions make are looked up in the TriggerService's
//     namespace, then in the system namespaces, then among those built in. Those
//     in use are handed to the worker in one Definition of its namespace. When
//     one breaks, the last good one stays in force, and the TriggerService says
//     so.
//   - The condition Validated says of every trigger what is wrong with it, as
//     the worker would.
package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// Options say how workers are made.
type Options struct {
	// SystemNamespaces are where platform teams define actions and worker
	// templates, in the order in which they are looked up.
	SystemNamespaces []string
	// Image is the workers', unless their template names one.
	Image string
	// Checker checks what users write.
	Checker sandbox.Checker
}

// concurrency is how many TriggerServices are reconciled at the same time.
const concurrency = 4

// AddToScheme registers all kinds that the controller handles.
func AddToScheme(s *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, v1alpha1.AddToScheme, corev1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			return err
		}
	}
	return nil
}

// Cache returns what the controller keeps in memory: TriggerServices and
// Definitions, and of all else only what is its own.
func Cache() cache.Options {
	account := fields.OneTermEqualSelector("metadata.name", DefaultServiceAccount)
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&appsv1.Deployment{}:     {Label: labels.SelectorFromSet(Labels())},
		&corev1.Service{}:        {Label: labels.SelectorFromSet(Labels())},
		&corev1.ServiceAccount{}: {Field: account},
		&rbacv1.RoleBinding{}:    {Field: account},
	}}
}

// reconciler makes the cluster what TriggerServices say.
type reconciler struct {
	Options
	client client.Client
	// apiReader reads what the cache does not hold.
	apiReader client.Reader
	events    record.EventRecorder
	checks    checkCache
}

// Setup adds the controller to m, whose scheme and cache are those of this
// package.
func Setup(ctx context.Context, m ctrl.Manager, o Options) error {
	r := &reconciler{
		Options: o, client: m.GetClient(), apiReader: m.GetAPIReader(),
		events: m.GetEventRecorderFor("kube-trigger"), checks: checkCache{checker: o.Checker},
	}
	if err := r.index(ctx, m.GetFieldIndexer()); err != nil {
		return fmt.Errorf("index TriggerServices: %w", err)
	}
	return ctrl.NewControllerManagedBy(m).
		Named("triggerservice").
		For(&v1alpha1.TriggerService{}, builder.WithPredicates(specOrStateChanged())).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1alpha1.Definition{}).
		Owns(&corev1.Service{}).
		Watches(&corev1.ServiceAccount{}, handler.EnqueueRequestsFromMapFunc(r.requestsForServiceAccount)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(r.requestsForServiceAccount)).
		Watches(&corev1alpha1.Definition{}, handler.EnqueueRequestsFromMapFunc(r.requestsForDefinition),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(r)
}

// Names of indexes.
const (
	byAction         = "action"
	byWorker         = "worker"
	byServiceAccount = "account"
)

func (r *reconciler) index(ctx context.Context, indexer client.FieldIndexer) error {
	for name, of := range map[string]func(*v1alpha1.TriggerService) []string{
		byAction:         actionTypes,
		byWorker:         func(ts *v1alpha1.TriggerService) []string { return []string{templateName(ts)} },
		byServiceAccount: func(ts *v1alpha1.TriggerService) []string { return []string{serviceAccountName(ts)} },
	} {
		err := indexer.IndexField(ctx, &v1alpha1.TriggerService{}, name, func(o client.Object) []string {
			ts, ok := o.(*v1alpha1.TriggerService)
			if !ok {
				return nil
			}
			return of(ts)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// requestsForServiceAccount returns the TriggerServices that a change of their namespace's
// default account concerns.
func (r *reconciler) requestsForServiceAccount(ctx context.Context, o client.Object) []ctrl.Request {
	return r.requests(ctx, client.InNamespace(o.GetNamespace()), client.MatchingFields{byServiceAccount: DefaultServiceAccount})
}

// requestsForDefinition returns the TriggerServices that use an action or a worker
// template.
func (r *reconciler) requestsForDefinition(ctx context.Context, o client.Object) []ctrl.Request {
	d, ok := o.(*corev1alpha1.Definition)
	if !ok {
		return nil
	}
	system := slices.Contains(r.SystemNamespaces, d.Namespace)
	index := map[string]string{corev1alpha1.TriggerAction: byAction, corev1alpha1.TriggerWorker: byWorker}[d.Spec.Type]
	if index == "" || index == byWorker && !system {
		return nil
	}
	var all []ctrl.Request
	for _, name := range []string{d.Name, strings.TrimPrefix(d.Name, d.Spec.Type+"-")} {
		options := []client.ListOption{client.MatchingFields{index: name}}
		if !system {
			options = append(options, client.InNamespace(d.Namespace))
		}
		all = append(all, r.requests(ctx, options...)...)
	}
	return all
}

func (r *reconciler) requests(ctx context.Context, options ...client.ListOption) []ctrl.Request {
	var list v1alpha1.TriggerServiceList
	if err := r.client.List(ctx, &list, options...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "TriggerServices not listed")
		return nil
	}
	var all []ctrl.Request
	for i := range list.Items {
		all = append(all, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return all
}
