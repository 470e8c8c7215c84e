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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	names "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// query says which objects to watch. Selectors are in canonical form: queries
// that are equal ask for the same.
type query struct {
	kind          runtimeschema.GroupVersionKind
	namespace     string
	labels, field string
	// derivedType is the type of the source that is derived; empty where none is.
	derivedType string
	// cluster is where; empty for the worker's own, without the name that it may
	// have. It is anyCluster for all that the triggers select.
	cluster string
}

// anyCluster is the name of no cluster.
const anyCluster = "*"

// String returns the query as in "apps/v1/Deployment?namespace=a&labels=b=c",
// the same for the same query only.
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

// key names the watch of the query.
func (q query) key() string { return Type + ":" + q.String() }

// forCluster returns the query for one cluster.
func (q query) forCluster(cluster string) query {
	q.cluster = cluster
	return q
}

// eventCluster returns the cluster as events have it: empty for the worker's own.
func (q query) eventCluster() string {
	if q.cluster == multicluster.Local {
		return ""
	}
	return q.cluster
}

// clusterFromKey returns the cluster for which key names a watch of the query, which is
// for any.
func (q query) clusterFromKey(key string) (string, bool) {
	return strings.CutPrefix(key, strings.TrimSuffix(q.key(), anyCluster))
}

// listOptions returns o narrowed down to the objects of q, without those in which a
// store is kept.
func (q query) listOptions(o metav1.ListOptions) metav1.ListOptions {
	o.LabelSelector, o.FieldSelector = q.labels, q.field
	switch q.kind.GroupKind() {
	case runtimeschema.GroupKind{Kind: "ConfigMap"}, runtimeschema.GroupKind{Group: "coordination.k8s.io", Kind: "Lease"}:
		if o.LabelSelector != "" {
			o.LabelSelector += ","
		}
		o.LabelSelector += "!" + store.Label
	}
	return o
}

// parse checks properties, and returns the objects they ask for, in which clusters,
// and the types of events that are wanted.
func parse(s schema.Lazy, properties map[string]any) (query, clusterSelection, []string, diag.List) {
	var p struct {
		APIVersion     string                `json:"apiVersion"`
		Kind           string                `json:"kind"`
		Namespace      string                `json:"namespace"`
		MatchingLabels map[string]string     `json:"matchingLabels"`
		LabelSelector  *metav1.LabelSelector `json:"labelSelector"`
		FieldSelector  string                `json:"fieldSelector"`
		Events         []string              `json:"events"`
		clusterProperties
	}
	if problems := s.Decode(properties, &p); len(problems) > 0 {
		return query{}, clusterSelection{}, nil, problems
	}
	var problems diag.List
	q := query{namespace: p.Namespace}
	gv, err := runtimeschema.ParseGroupVersion(p.APIVersion)
	if err != nil || gv.Version == "" {
		problems.Add("apiVersion", `must be "version" or "group/version", such as "v1" or "apps/v1", not %q`, p.APIVersion)
	}
	q.kind = gv.WithKind(p.Kind)
	if reasons := names.IsDNS1035Label(strings.ToLower(p.Kind)); len(reasons) > 0 {
		problems.Add("kind", `must be the name of a kind, such as "Deployment", not %q`, p.Kind)
	}
	if reasons := names.IsDNS1123Label(p.Namespace); p.Namespace != "" && len(reasons) > 0 {
		problems.Add("namespace", "%q is not a name: %s", p.Namespace, strings.Join(reasons, "; "))
	}
	q.labels = labelSelector("labelSelector", p.MatchingLabels, p.LabelSelector, &problems).String()
	fs, err := fields.ParseSelector(p.FieldSelector)
	if err != nil {
		problems.Add("fieldSelector", "%v", err)
	} else {
		q.field = fs.String()
	}
	clusters := p.selection(&problems)
	if !clusters.isOwnCluster() {
		q.cluster = anyCluster
	}
	if len(p.Events) == 0 {
		p.Events = []string{event.Create, event.Update, event.Delete}
	}
	return q, clusters, p.Events, problems
}

// labelSelector returns the selector for what both match and selector, which is the
// property of that name, ask for, in canonical form.
func labelSelector(name string, match map[string]string, selector *metav1.LabelSelector, problems *diag.List) labels.Selector {
	errs := validation.ValidateLabels(match, field.NewPath("matchingLabels"))
	errs = append(errs, validation.ValidateLabelSelector(selector, validation.LabelSelectorValidationOptions{}, field.NewPath(name))...)
	for _, e := range errs {
		problems.Add(e.Field, "%s", e.ErrorBody())
	}
	all := labels.NewSelector()
	for _, part := range []*metav1.LabelSelector{{MatchLabels: match}, selector} {
		if part == nil || len(errs) > 0 {
			continue
		}
		s, err := metav1.LabelSelectorAsSelector(part)
		if err != nil {
			problems.Add(name, "%v", err)
			continue
		}
		requirements, _ := s.Requirements()
		all = all.Add(requirements...)
	}
	return all
}
