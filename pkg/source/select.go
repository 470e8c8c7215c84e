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

package source

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Select reads the object of a name, as the API server selects it for w; nil if it does not exist,
// or the selectors do not match it.
func (w Watch) Select(ctx context.Context, r client.Reader, name types.NamespacedName) (*unstructured.Unstructured, error) {
	fields := "metadata.name=" + name.Name
	if w.Fields != "" {
		fields += "," + w.Fields
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(w.Kind.GroupVersion().WithKind(w.Kind.Kind + "List"))
	options := &client.ListOptions{Namespace: name.Namespace, Raw: &metav1.ListOptions{LabelSelector: w.Labels, FieldSelector: fields}}
	if err := r.List(ctx, list, options); err != nil || len(list.Items) != 1 {
		return nil, err
	}
	return &list.Items[0], nil
}
