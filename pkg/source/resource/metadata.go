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
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/source"
)

// MetadataOnly implements source.MetadataSubscription. Some kinds are always watched as a whole:
//
//   - Secrets, because their values are kept out of what leaves the process by comparison;
//   - Events, because the objects that they are about tell whether a trigger caused them.
func (s subscription) MetadataOnly() bool {
	isDerived := s.derived != nil && (s.derived.State != nil || s.derived.Derive != nil)
	switch {
	case !s.trigger.MetadataOnly, s.filter != nil, isDerived:
		return false
	case s.kind.GroupKind() == schema.GroupKind{Kind: "Secret"}, s.kind.Kind == "Event":
		return false
	}
	fields := source.MetadataFields()
	return s.trigger.Old.IsWithin(fields...) && !slices.ContainsFunc(s.trigger.OnChange, func(p source.Path) bool {
		return !slices.Contains(fields, p[0])
	})
}

// Whole implements source.MetadataSubscription.
func (s subscription) Whole() source.Subscription {
	s.trigger.MetadataOnly = false
	return s
}

// needMetadataOnly reports whether none of shared needs more of an object than its metadata.
func needMetadataOnly(shared []subscription) bool {
	return !slices.ContainsFunc(shared, func(s subscription) bool { return !s.MetadataOnly() })
}

// object returns a listed object as one of events. If triggers need no more, it is an object of the
// kind that has metadata only.
func (w *watcher) object(o metav1.Object) (*unstructured.Unstructured, error) {
	u, ok := o.(*unstructured.Unstructured)
	if p, isMetadata := o.(*metav1.PartialObjectMetadata); isMetadata {
		for i := range p.ManagedFields {
			p.ManagedFields[i].FieldsV1 = nil
		}
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p)
		if err != nil {
			return nil, err
		}
		u, ok = &unstructured.Unstructured{Object: fields}, true
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("unexpected %T", o)
	case w.metadataOnly:
		return metadataOf(u, w.kind), nil
	}
	return u, nil
}

// metadataOf returns an object of the kind with the metadata of o, which it shares.
func metadataOf(o *unstructured.Unstructured, kind schema.GroupVersionKind) *unstructured.Unstructured {
	apiVersion, name := kind.ToAPIVersionAndKind()
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": name, "metadata": o.Object["metadata"]}}
}
