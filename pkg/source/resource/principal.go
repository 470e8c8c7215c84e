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
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
)

// checkValidity is the time for which a reader relies on a check of its own rights. The API
// server checks those of a stream once, when it is opened.
const checkValidity = 10 * time.Second

// errUnchecked is returned by functions that depend on reader.check.
var errUnchecked = errors.New("the rights of the account are not checked")

// principal is the account as which a watch reads.
type principal struct {
	// account is Options.Account. application is Options.Application, or empty if no stream may
	// be shared with another account.
	account, application string
	// mayWatch asks the API server whether the account may watch the objects.
	mayWatch func(context.Context) (bool, error)
}

// principal returns the principal of w for a watch with the options o.
func (w *watcher) principal(o metav1.ListOptions) principal {
	p := principal{account: w.Account, mayWatch: func(ctx context.Context) (bool, error) { return w.mayWatch(ctx, o) }}
	if isSameForAll(w.mapping.Resource.GroupResource()) {
		p.application = w.Application
	}
	return p
}

// isSameForAll reports whether an object is the same for each account that may watch it. An
// aggregated API server may give each user something else; the API server itself, which serves
// the core group and the CRD of Applications, does not.
func isSameForAll(resource schema.GroupResource) bool {
	return resource.Group == "" || resource.Group == corev1alpha1.Group
}

// mayWatch reports whether the account may watch what the options o select. It does not name
// selectors other than that of a name, which can only narrow what is watched.
func (w *watcher) mayWatch(ctx context.Context, o metav1.ListOptions) (bool, error) {
	reviews := schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}
	resource := w.mapping.Resource
	attributes := map[string]any{
		"verb": "watch", "group": resource.Group, "version": resource.Version, "resource": resource.Resource, "namespace": w.namespace,
	}
	selector, err := fields.ParseSelector(o.FieldSelector)
	if err != nil {
		return false, err
	}
	if name, ok := selector.RequiresExactMatch(metav1.ObjectNameField); ok {
		attributes["name"] = name
	}
	review, err := w.Client.Resource(reviews).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": reviews.GroupVersion().String(), "kind": "SelfSubjectAccessReview", "spec": map[string]any{"resourceAttributes": attributes},
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("check the right to watch %s: %w", w, err)
	}
	allowed, _, err := unstructured.NestedBool(review.Object, "status", "allowed")
	return allowed, err
}

// check checks whether the account of r may watch the objects. An error counts as no: r then
// watches by itself, and the API server decides.
func (r *reader) check(ctx context.Context) {
	allowed, err := r.mayWatch(ctx)
	if err != nil {
		logr.FromContextOrDiscard(ctx).V(1).Info("watches by itself", "reason", err.Error())
	}
	r.allowed, r.checkedAt = allowed && err == nil, r.clock.Now()
}

// mayRead reports whether r may read a stream: one of its own account, or one of another
// account of its Application while its own account may watch the objects, too. The error is
// errUnchecked if that is not known.
func (r *reader) mayRead(st *stream) (bool, error) {
	switch {
	case st.account == r.account:
		return true, nil
	case r.application == "" || st.application != r.application:
		return false, nil
	case r.checkedAt.IsZero() || r.clock.Since(r.checkedAt) >= checkValidity:
		return false, errUnchecked
	}
	return r.allowed, nil
}

// admit returns nil if r may read an event of its stream, and errEnded if not. The error is
// errUnchecked if that is not known.
func (r *reader) admit(e watch.Event) error {
	if e.Type == watch.Bookmark { // has no object
		return nil
	}
	may, err := r.mayRead(r.stream)
	if err == nil && !may {
		err = errEnded
	}
	return err
}
