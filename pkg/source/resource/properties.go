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

package resource

import (
	"strings"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	names "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// query selects the objects of a watch. Selectors are in canonical form, so that equal
// queries select the same objects.
type query struct {
	kind          runtimeschema.GroupVersionKind
	namespace     string
	labels, field string
	// derivedType is the type of the derived source; empty without one.
	derivedType string
	// cluster is the name of the cluster; empty for the worker's own cluster of a
	// trigger that selects no other. It is anyCluster for all selected clusters.
	cluster string
}

// anyCluster stands for all selected clusters. It is not a valid cluster name.
const anyCluster = "*"

// String returns the query in the form "apps/v1/Deployment?namespace=a&labels=b=c".
// Different queries have different strings.
func (q query) String() string {
	var parts []string
	for _, p := range []struct{ name, value string }{
		{"namespace", q.namespace}, {"labels", q.labels}, {"fields", q.field}, {"as", q.derivedType}, {"cluster", q.cluster},
	} {
		if p.value != "" {
			parts = append(parts, p.name+"="+p.value)
		}
	}
	s := q.kind.GroupVersion().String() + "/" + q.kind.Kind
	if len(parts) > 0 {
		s += "?" + strings.Join(parts, "&")
	}
	return s
}

// key returns the key of the watch of the query.
func (q query) key() string { return Type + ":" + q.String() }

// selectsClusters reports whether the triggers of q select clusters.
func (q query) selectsClusters() bool { return q.cluster == anyCluster }

// eventCluster returns the cluster in events: empty for the worker's own cluster.
func (q query) eventCluster() string {
	if q.cluster == multicluster.Local {
		return ""
	}
	return q.cluster
}

// clusterFromKey returns the cluster in the key of a watch, and whether the key is that
// of q in a cluster. The cluster of q must be anyCluster.
func (q query) clusterFromKey(key string) (string, bool) {
	return strings.CutPrefix(key, strings.TrimSuffix(q.key(), anyCluster))
}

// listOptions returns o with the selectors of q. Objects of kube-trigger's own store are
// excluded.
func (q query) listOptions(o metav1.ListOptions) metav1.ListOptions {
	o.LabelSelector, o.FieldSelector = q.labels, q.field
	switch q.kind.GroupKind() {
	case runtimeschema.GroupKind{Group: v1alpha1.Group, Kind: v1alpha1.TriggerCheckpointKind}, runtimeschema.GroupKind{Group: "coordination.k8s.io", Kind: "Lease"}:
		if o.LabelSelector != "" {
			o.LabelSelector += ","
		}
		o.LabelSelector += "!" + store.Label
	}
	return o
}

// parse validates properties, and returns the query, the selected clusters and the
// types of events. own is the Application that ownApplication selects.
func parse(s schema.Lazy, properties map[string]any, own event.Application) (query, clusterSelection, []string, diag.List) {
	var p struct {
		APIVersion     string                `json:"apiVersion"`
		Kind           string                `json:"kind"`
		Namespace      string                `json:"namespace"`
		MatchingLabels map[string]string     `json:"matchingLabels"`
		LabelSelector  *metav1.LabelSelector `json:"labelSelector"`
		FieldSelector  string                `json:"fieldSelector"`
		OwnApplication bool                  `json:"ownApplication"`
		Events         []string              `json:"events"`
		clusterProperties
	}
	if list := s.Decode(properties, &p); len(list) > 0 {
		return query{}, clusterSelection{}, nil, list
	}
	var list diag.List
	q := query{namespace: p.Namespace}
	gv, err := runtimeschema.ParseGroupVersion(p.APIVersion)
	if err != nil || gv.Version == "" {
		list.Add("apiVersion", `must be "version" or "group/version", such as "v1" or "apps/v1", not %q`, p.APIVersion)
	}
	q.kind = gv.WithKind(p.Kind)
	if reasons := names.IsDNS1035Label(strings.ToLower(p.Kind)); len(reasons) > 0 {
		list.Add("kind", `must be the name of a kind, such as "Deployment", not %q`, p.Kind)
	}
	if reasons := names.IsDNS1123Label(p.Namespace); p.Namespace != "" && len(reasons) > 0 {
		list.Add("namespace", "invalid name %q: %s", p.Namespace, strings.Join(reasons, "; "))
	}
	q.labels = labelSelector("labelSelector", p.MatchingLabels, p.LabelSelector, &list).String()
	fs, err := fields.ParseSelector(p.FieldSelector)
	if err != nil {
		list.Add("fieldSelector", "%v", err)
	} else {
		q.field = fs.String()
	}
	if p.OwnApplication {
		list = append(list, q.selectApplication(own)...)
	}
	clusters := p.selection(&list)
	if !clusters.isOwnCluster() {
		q.cluster = anyCluster
	}
	if len(p.Events) == 0 {
		p.Events = []string{event.Create, event.Update, event.Delete}
	}
	return q, clusters, p.Events, list
}

// selectApplication makes q select one Application.
func (q *query) selectApplication(a event.Application) (list diag.List) {
	switch {
	case q.kind.GroupKind() != v1beta1.ApplicationKindVersionKind.GroupKind():
		list.Add("ownApplication", "selects an Application, not a %s", q.kind.Kind)
	case q.namespace != "" || q.field != "":
		list.Add("ownApplication", "selects the namespace and the name of the Application; remove namespace and fieldSelector")
	case a == event.Application{}:
		list.Add("ownApplication", "the TriggerService is not part of an Application: KubeVela has not set its labels %s and %s", oam.LabelAppName, oam.LabelAppNamespace)
	default:
		q.namespace, q.field = a.Namespace, fields.OneTermEqualSelector("metadata.name", a.Name).String()
	}
	return list
}

// labelSelector returns the conjunction of match and selector, in canonical form. name
// is the property of selector.
func labelSelector(name string, match map[string]string, selector *metav1.LabelSelector, list *diag.List) labels.Selector {
	errs := validation.ValidateLabels(match, field.NewPath("matchingLabels"))
	errs = append(errs, validation.ValidateLabelSelector(selector, validation.LabelSelectorValidationOptions{}, field.NewPath(name))...)
	for _, e := range errs {
		list.Add(e.Field, "%s", e.ErrorBody())
	}
	all := labels.NewSelector()
	for _, part := range []*metav1.LabelSelector{{MatchLabels: match}, selector} {
		if part == nil || len(errs) > 0 {
			continue
		}
		s, err := metav1.LabelSelectorAsSelector(part)
		if err != nil {
			list.Add(name, "%v", err)
			continue
		}
		requirements, _ := s.Requirements()
		all = all.Add(requirements...)
	}
	return all
}
