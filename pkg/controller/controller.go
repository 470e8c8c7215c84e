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

// Package controller runs the workers of TriggerServices, one for each namespace or for a
// TriggerService alone, and validates TriggerServices and Definitions at admission.
//
// Guarantees:
//
//   - The worker Deployment is in the TriggerService's namespace. Its pods run as the
//     ServiceAccount trigger.WorkerAccount of that namespace, which may act as the
//     ServiceAccounts that the TriggerServices there name, and as no other one. Users choose
//     neither image nor command: worker templates are only read from the system namespaces.
//   - The worker of a namespace runs all TriggerServices with the template
//     NamespaceTemplate. None runs in a namespace of the system.
//   - A change of triggers does not change the Deployment: the worker watches the
//     accepted version of its TriggerService.
//   - The accepted version is what the controller has checked, signed with its key in one
//     Definition for each TriggerService. Its verdict is used again after a restart.
//   - An object that is already as desired is not written.
//   - The worker of a TriggerService that the lockdown forbids is stopped, and runs nothing
//     that is newer than the last accepted version.
//   - A TriggerService with webhook triggers gets a Service that selects its worker.
//   - An existing object of the same name with another owner is never changed. The
//     condition WorkerAvailable reports it with reason NameConflict.
//   - Every object of a worker is owned by its TriggerService, and is deleted with it. What
//     the TriggerServices of a namespace share is deleted with the last one.
//   - Actions are looked up in Definitions of the TriggerService's namespace, then of
//     the system namespaces, then among the built-in actions. The accepted
//     version has the templates in use. If a
//     Definition becomes invalid, the worker keeps its last valid template, and the
//     condition Validated reports the error.
//   - The condition Validated lists every error of every trigger. The controller and
//     the worker share one compiler, so that they report the same errors.
package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/fair"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
	"github.com/kubevela/kube-trigger/pkg/lockdown"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// Options configure the controller and its validator.
type Options struct {
	// SystemNamespaces are searched, in this order, for the Definitions of actions
	// and worker templates that all namespaces share.
	SystemNamespaces []string
	// DefaultWorkerTemplate is the worker template of TriggerServices that ask for nothing.
	// Defaults to NamespaceTemplate.
	DefaultWorkerTemplate string
	// Steps are the workflow steps that are actions.
	Steps *Steps
	// Image is passed to worker templates as `image`.
	Image string
	// Version is the version of the program. The verdicts of another one are not used.
	Version string
	// Lockdown restricts TriggerServices.
	Lockdown lockdown.Rules
	// KeySecret is the Secret with the key that accepted versions are signed with. The
	// controller creates it.
	KeySecret types.NamespacedName
	// Kinds returns the types of the objects that the triggers of a TriggerService watch. The
	// validator checks by them. Defaults to none.
	Kinds func(ctx context.Context, ts *v1alpha1.TriggerService) []kubeschema.Kind
	// Checker validates TriggerServices and actions, at most MaxChecks (1) concurrently.
	Checker   sandbox.Checker
	MaxChecks int
	// ThoroughChecker is used for those that exceed the limits of Checker, and does not
	// keep others waiting; nil for none.
	ThoroughChecker sandbox.Checker
	// Namespaces limits the controller, as cache.Options.DefaultNamespaces does; nil for none.
	Namespaces map[string]cache.Config
	// GrantBumps gives TriggerServices the right to bump the Application that they are part
	// of, where KubeVela has placed them in another namespace, and the right to watch what
	// their component refers to.
	GrantBumps bool
	// BumpClusters are joined clusters whose ConfigMaps and Secrets bump the Applications that
	// have placed components with the trait bump-on-change there. It requires GrantBumps.
	BumpClusters []string
	// Clock measures reconciliations for the health check. Defaults to the real clock.
	Clock clock.PassiveClock
}

const (
	// concurrency is the number of TriggerServices that are reconciled concurrently.
	concurrency = 8
	// minRetryDelay and maxRetryDelay limit the delay before a failed reconciliation is tried
	// again. It doubles with each failure.
	minRetryDelay, maxRetryDelay = 5 * time.Millisecond, 5 * time.Minute
)

// newQueue returns a queue in which namespaces take turns. Unlike controller-runtime's
// default, its retries have no limit that all namespaces share.
func newQueue(name string, limiter workqueue.TypedRateLimiter[ctrl.Request]) workqueue.TypedRateLimitingInterface[ctrl.Request] {
	turns := fair.NewQueue(func(q ctrl.Request) string { return q.Namespace })
	queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[ctrl.Request]{Name: name, Queue: turns})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[ctrl.Request]{Name: name, Queue: queue})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[ctrl.Request]{Name: name, DelayingQueue: delaying})
}

// AddToScheme registers every kind that the controller reads or writes.
func AddToScheme(s *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, v1alpha1.AddToScheme, corev1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			return err
		}
	}
	return nil
}

// Cache returns options that limit the controller's cache to all TriggerServices and
// Definitions, and to those Deployments and Services that the controller may have created.
func Cache() cache.Options {
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&appsv1.Deployment{}: {Label: labels.SelectorFromSet(Labels())},
		&corev1.Service{}:    {Label: labels.SelectorFromSet(Labels())},
	}}
}

// reconciler reconciles TriggerServices.
type reconciler struct {
	Options
	client client.Client
	// reader reads from caches, apiReader from the API server.
	reader, apiReader client.Reader
	events            record.EventRecorder
	checks            *checks
	signer            *signer
	stuck             *stuckDetector

	// configRoles reads the Roles of the configReconciler; nil without one.
	configRoles cache.Cache

	webhookPorts webhookPorts
}

// Setup adds the controller to m, and a health check that fails while a reconciliation is
// stuck. The scheme of m must come from AddToScheme, and its
// cache options from Cache.
func Setup(ctx context.Context, m ctrl.Manager, o Options) error {
	caches, err := newNamedCaches(m, o.Namespaces)
	if err != nil {
		return err
	}
	r := &reconciler{
		Options: o, client: m.GetClient(), reader: caches, apiReader: m.GetAPIReader(),
		events: m.GetEventRecorderFor("kube-trigger"),
		signer: &signer{secret: acceptance.KeySecret{
			Client: m.GetClient(), APIReader: m.GetAPIReader(), Name: o.KeySecret, FieldManager: FieldManager, Labels: Labels(),
		}},
	}
	r.checks = newChecks(o, r.checkRequest)
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	r.stuck = newStuckDetector(m.GetLogger(), o.Clock)
	if err := r.index(ctx, m.GetFieldIndexer()); err != nil {
		return fmt.Errorf("index TriggerServices: %w", err)
	}
	if err := m.AddHealthzCheck("reconcile", r.stuck.check); err != nil {
		return err
	}
	if err := setupNamespaces(m, r, caches); err != nil {
		return err
	}
	if err := setupDefinitions(m, r, o); err != nil {
		return err
	}
	if o.GrantBumps {
		if err := setupBumpRights(ctx, m, r); err != nil {
			return err
		}
	}
	const name = "triggerservice"
	b := ctrl.NewControllerManagedBy(m).
		Named(name).
		For(&v1alpha1.TriggerService{}, builder.WithPredicates(specOrStateChanged())).
		Owns(&appsv1.Deployment{}, builder.WithPredicates(existed())).
		Owns(&corev1alpha1.Definition{}, builder.WithPredicates(existed())).
		Owns(&corev1.Service{}, builder.WithPredicates(existed())).
		Watches(&v1alpha1.TriggerService{}, handler.EnqueueRequestsFromMapFunc(r.requestsForNamespace), builder.WithPredicates(createdOrDeleted())).
		Watches(&corev1alpha1.Definition{}, handler.EnqueueRequestsFromMapFunc(r.requestsForDefinition),
			builder.WithPredicates(predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(r.requestsForNamespaceWorker), builder.WithPredicates(existed())).
		WatchesRawSource(source.Channel(r.checks.finished, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](minRetryDelay, maxRetryDelay),
			NewQueue:                newQueue,
		})
	b = r.watchSteps(b)
	if r.configRoles != nil {
		b = b.WatchesRawSource(source.Kind[client.Object](r.configRoles, &rbacv1.Role{}, ofService(m)))
	}
	return b.Complete(r.stuck.watch(name, r))
}

// Names of field indexes of TriggerServices.
const (
	byAction = "action"
	byWorker = "worker"
)

func (r *reconciler) index(ctx context.Context, indexer client.FieldIndexer) error {
	for name, values := range map[string]func(*v1alpha1.TriggerService) []string{
		byAction: actionTypes,
		byWorker: func(ts *v1alpha1.TriggerService) []string { return []string{r.templateName(ts)} },
	} {
		err := indexer.IndexField(ctx, &v1alpha1.TriggerService{}, name, func(o client.Object) []string {
			ts, ok := o.(*v1alpha1.TriggerService)
			if !ok {
				return nil
			}
			return values(ts)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// requestsForDefinition returns requests for the TriggerServices that use the action
// or worker template that o defines.
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

// servicesIn returns the TriggerServices of a namespace, which must not be changed.
func (r *reconciler) servicesIn(ctx context.Context, namespace string) ([]v1alpha1.TriggerService, error) {
	var list v1alpha1.TriggerServiceList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list TriggerServices in namespace %q: %w", namespace, err)
	}
	return list.Items, nil
}

// requestsForNamespaceWorker returns requests for the TriggerServices that the worker o of a
// namespace runs; none if o is another Deployment.
func (r *reconciler) requestsForNamespaceWorker(ctx context.Context, o client.Object) []ctrl.Request {
	if o.GetName() != trigger.NamespaceWorker {
		return nil
	}
	return r.requests(ctx, client.InNamespace(o.GetNamespace()), client.MatchingFields{byWorker: NamespaceTemplate})
}

func (r *reconciler) requests(ctx context.Context, options ...client.ListOption) []ctrl.Request {
	var list v1alpha1.TriggerServiceList
	if err := r.client.List(ctx, &list, options...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Cannot list TriggerServices")
		return nil
	}
	var all []ctrl.Request
	for i := range list.Items {
		all = append(all, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return all
}
