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
	"fmt"
	"slices"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// Steps reads the definitions of workflow steps from a cache. nil has none.
type Steps struct{ cache cache.Cache }

// NewSteps returns the steps of some namespaces, nil for all, with a cache that m starts. It
// returns nil without KubeVela.
func NewSteps(m ctrl.Manager, namespaces map[string]cache.Config) (*Steps, error) {
	for _, kind := range stepKinds() {
		_, err := m.GetRESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
		if meta.IsNoMatchError(err) {
			m.GetLogger().Info("KubeVela is not installed: there are no workflow steps before the next start")
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("find the kind %s: %w", kind.Kind, err)
		}
	}
	ofStep, err := labels.NewRequirement(oam.LabelWorkflowStepDefinitionName, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	c, err := cache.New(m.GetConfig(), cache.Options{
		Scheme: m.GetScheme(), Mapper: m.GetRESTMapper(), HTTPClient: m.GetHTTPClient(), DefaultNamespaces: namespaces,
		DefaultTransform: keepStep,
		ByObject: map[client.Object]cache.ByObject{
			newObject(v1beta1.DefinitionRevisionGroupVersionKind): {Label: labels.NewSelector().Add(*ofStep)},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cache workflow steps: %w", err)
	}
	return &Steps{cache: c}, m.Add(c)
}

func stepKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{v1beta1.WorkflowStepDefinitionGroupVersionKind, v1beta1.DefinitionRevisionGroupVersionKind}
}

func newObject(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}

// keepStep drops from the definition of a step all but what identifies it and its template.
func keepStep(o any) (any, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return o, nil
	}
	d, _ := workflowstep.Find(u.Object)
	small := newObject(u.GroupVersionKind())
	small.SetNamespace(u.GetNamespace())
	small.SetName(u.GetName())
	small.SetUID(u.GetUID())
	small.SetResourceVersion(u.GetResourceVersion())
	small.SetGeneration(u.GetGeneration())
	return small, d.SetIn(small.Object)
}

// find returns the definition of a step in a namespace, and whether there is one.
func (s *Steps) find(ctx context.Context, step workflowstep.Step, namespace string) (workflowstep.Definition, bool, error) {
	if s == nil {
		return workflowstep.Definition{}, false, nil
	}
	u := newObject(step.Kind())
	err := s.cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: step.ObjectName()}, u)
	if apierrors.IsNotFound(err) {
		return workflowstep.Definition{}, false, nil
	}
	if err != nil {
		return workflowstep.Definition{}, false, fmt.Errorf("get %s %s/%s: %w", step.Kind().Kind, namespace, step.ObjectName(), err)
	}
	d, ok := workflowstep.Find(u.Object)
	return d, ok && d.Step == step, nil
}

// names returns the sorted names of the steps in some namespaces.
func (s *Steps) names(ctx context.Context, namespaces []string) ([]string, error) {
	if s == nil {
		return nil, nil
	}
	var names []string
	for _, namespace := range namespaces {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(v1beta1.WorkflowStepDefinitionGroupVersionKind)
		if err := s.cache.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list %s in namespace %q: %w", v1beta1.WorkflowStepDefinitionKind, namespace, err)
		}
		for i := range list.Items {
			names = append(names, list.Items[i].GetName())
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// resolveStep returns the action of a step and the object that defines it; false if there is none.
func (r *reconciler) resolveStep(ctx context.Context, step workflowstep.Step, namespaces []string) (source, origin string, found bool, err error) {
	for _, namespace := range namespaces {
		d, found, err := r.Steps.find(ctx, step, namespace)
		if err != nil || found {
			return d.Template, fmt.Sprintf("%s %s/%s", step.Kind().Kind, namespace, step.ObjectName()), found, err
		}
	}
	return "", "", false, nil
}

// watchSteps has b reconcile the TriggerServices that use a step whose definition changes.
func (r *reconciler) watchSteps(b *builder.Builder) *builder.Builder {
	if r.Steps == nil {
		return b
	}
	changed := predicate.GenerationChangedPredicate{}
	for _, kind := range stepKinds() {
		b = b.WatchesRawSource(source.Kind[client.Object](r.Steps.cache, newObject(kind), handler.EnqueueRequestsFromMapFunc(r.requestsForStep), changed))
	}
	return b
}

// requestsForStep returns requests for the TriggerServices that use the step that o defines.
func (r *reconciler) requestsForStep(ctx context.Context, o client.Object) []ctrl.Request {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	d, ok := workflowstep.Find(u.Object)
	if !ok {
		return nil
	}
	options := []client.ListOption{client.MatchingFields{byAction: d.String()}}
	if !slices.Contains(r.SystemNamespaces, u.GetNamespace()) {
		options = append(options, client.InNamespace(u.GetNamespace()))
	}
	return r.requests(ctx, options...)
}

// unknownSteps returns the names of all steps that ts may use if one of those that it uses does
// not exist, so that similar ones can be suggested; else nil.
func (r *reconciler) unknownSteps(ctx context.Context, types []string, found map[string]sandbox.Action, namespaces []string) ([]string, error) {
	for _, name := range types {
		if _, ok := found[name]; ok {
			continue
		}
		if _, isStep := workflowstep.Parse(name); isStep {
			return r.Steps.names(ctx, namespaces)
		}
	}
	return nil, nil
}
