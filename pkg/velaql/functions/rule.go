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

package functions

import (
	"context"
	"fmt"

	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// rule is a parent-child relation of two kinds.
type rule struct {
	parent   schema.GroupKind
	child    schema.GroupVersionKind
	relation relation
}

// relation is the criterion for children of a parent. Except for byOwner and byLabels,
// children that have an owner must be owned by the parent.
type relation int

const (
	// byOwner selects objects that the parent owns.
	byOwner relation = iota
	// bySelector selects objects that match the parent's spec.selector.
	bySelector
	// byJobLabels selects objects with the labels of the parent's spec.jobTemplate.
	byJobLabels
	// byOwnLabels selects objects with the parent's labels.
	byOwnLabels
	// byLabels selects objects with labels for the parent's name and namespace.
	byLabels
)

// builtinRules returns the built-in rules of KubeVela.
func builtinRules() []rule {
	pod := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	rules := []rule{
		{groupKind("apps", "Deployment"), schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}, bySelector},
		{groupKind("apps", "ReplicaSet"), pod, bySelector},
		{groupKind("apps", "StatefulSet"), pod, bySelector},
		{groupKind("apps", "DaemonSet"), pod, bySelector},
		{groupKind("batch", "Job"), pod, bySelector},
		{groupKind("batch", "CronJob"), schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}, byJobLabels},
		{groupKind("", "Service"), schema.GroupVersionKind{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"}, byOwner},
		{groupKind("", "Service"), schema.GroupVersionKind{Version: "v1", Kind: "Endpoints"}, byOwnLabels},
	}
	for _, parent := range []schema.GroupKind{
		groupKind("helm.toolkit.fluxcd.io", "HelmRelease"), groupKind("kustomize.toolkit.fluxcd.io", "Kustomization"),
	} {
		for _, child := range []schema.GroupVersionKind{
			{Group: "apps", Version: "v1", Kind: "Deployment"},
			{Group: "apps", Version: "v1", Kind: "StatefulSet"},
			{Version: "v1", Kind: "ConfigMap"},
			{Version: "v1", Kind: "Secret"},
			{Version: "v1", Kind: "Service"},
			{Version: "v1", Kind: "PersistentVolumeClaim"},
			{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
			{Group: "gateway.networking.k8s.io", Version: "v1beta1", Kind: "HTTPRoute"},
			{Group: "gateway.networking.k8s.io", Version: "v1beta1", Kind: "Gateway"},
			{Version: "v1", Kind: "ServiceAccount"},
			{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
			{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
		} {
			rules = append(rules, rule{parent, child, byLabels})
		}
	}
	return rules
}

// rules returns the built-in rules and those of the ConfigMaps in KubeVela's namespace, in
// YAML or JSON, if these may be listed. Invalid ConfigMaps are ignored.
func (q Querier) rules(ctx context.Context) ([]rule, error) {
	rules := builtinRules()
	requirement, err := labels.NewRequirement(oam.LabelResourceRules, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	maps, err := q.list(ctx, corev1.SchemeGroupVersion.WithKind("ConfigMap"), client.ListOptions{
		Namespace: velatypes.DefaultKubeVelaNS, LabelSelector: labels.NewSelector().Add(*requirement),
	})
	if apierrors.IsForbidden(err) {
		return rules, nil
	}
	if err != nil {
		return nil, err
	}
	for _, m := range maps {
		text, _, _ := unstructured.NestedString(m.Object, "data", "rules")
		var entries []struct {
			Parent struct {
				Group string `json:"group"`
				Kind  string `json:"kind"`
			} `json:"parentResourceType"`
			Children []struct {
				APIVersion string `json:"apiVersion"`
				Kind       string `json:"kind"`
				Selector   bool   `json:"defaultLabelSelector"`
			} `json:"childrenResourceType"`
		}
		if err := yaml.Unmarshal([]byte(text), &entries); err != nil {
			continue
		}
		for _, w := range entries {
			for _, c := range w.Children {
				r := rule{groupKind(w.Parent.Group, w.Parent.Kind), schema.FromAPIVersionAndKind(c.APIVersion, c.Kind), byOwner}
				if c.Selector {
					r.relation = bySelector
				}
				rules = append(rules, r)
			}
		}
	}
	return rules, nil
}

// listOptions returns options that select the potential children of parent.
func (r rule) listOptions(parent *unstructured.Unstructured) (client.ListOptions, error) {
	options := client.ListOptions{Namespace: parent.GetNamespace()}
	switch r.relation {
	case byOwner:
		return options, nil
	case bySelector:
		selector, err := specSelector(parent)
		options.LabelSelector = selector
		return options, err
	case byJobLabels:
		jobLabels, _, err := unstructured.NestedStringMap(parent.Object, "spec", "jobTemplate", "metadata", "labels")
		options.LabelSelector = labels.SelectorFromSet(jobLabels)
		return options, err
	case byOwnLabels:
		options.LabelSelector = labels.SelectorFromSet(parent.GetLabels())
		return options, nil
	}
	group := parent.GroupVersionKind().Group
	return client.ListOptions{LabelSelector: labels.SelectorFromSet(labels.Set{
		group + "/name": parent.GetName(), group + "/namespace": parent.GetNamespace(),
	})}, nil
}

// specSelector returns the spec.selector of o; a selector for everything if it has none.
func specSelector(o *unstructured.Unstructured) (labels.Selector, error) {
	spec, _, err := unstructured.NestedMap(o.Object, "spec", "selector")
	if err != nil || len(spec) == 0 {
		return labels.Everything(), err
	}
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &selector); err != nil {
		return nil, fmt.Errorf("selector of %s %s: %w", o.GetKind(), objectName(o.GetNamespace(), o.GetName()), err)
	}
	return metav1.LabelSelectorAsSelector(&selector)
}
