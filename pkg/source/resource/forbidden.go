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
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// forbiddenError returns the error for a watch that is forbidden, in the wording of the
// API server. The client drops the message of the API server for a watch request,
// unlike for a list.
func (w *watcher) forbiddenError(ctx context.Context) error {
	reviews := schema.GroupVersionResource{Group: "authentication.k8s.io", Version: "v1", Resource: "selfsubjectreviews"}
	user := "this user"
	review, err := w.Client.Resource(reviews).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": reviews.GroupVersion().String(), "kind": "SelfSubjectReview",
	}}, metav1.CreateOptions{})
	if err == nil {
		name, _, _ := unstructured.NestedString(review.Object, "status", "userInfo", "username")
		user = fmt.Sprintf("User %q", name)
	}
	scope := "at the cluster scope"
	if w.namespace != "" {
		scope = fmt.Sprintf("in the namespace %q", w.namespace)
	}
	resource := w.mapping.Resource.GroupResource()
	return apierrors.NewForbidden(resource, "", fmt.Errorf("%s cannot watch resource %q in API group %q %s", user, resource.Resource, resource.Group, scope))
}
