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
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// conflictError is returned when an object that the controller would write exists and
// has another owner.
type conflictError struct{ kind, name string }

func (e conflictError) Error() string {
	return fmt.Sprintf("%s %q exists and was not created by kube-trigger for this TriggerService", e.kind, e.name)
}

// deniedError is returned when the API server denies a write: an admission policy forbids it,
// or the object is invalid.
type deniedError struct{ error }

func (e deniedError) Unwrap() error { return e.error }

// asDenied returns the error of a write as a deniedError if it is one.
func asDenied(err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return deniedError{err}
	}
	return err
}

// apply server-side-applies desired unless the cluster already holds it: without the
// comparison, each reconciliation would cost a request for each object, also when only
// a status has changed. It reads the
// existing object into current, an object of the same kind, and sets the UID of desired. An
// existing object for which owned returns false is not changed: the error is a conflictError.
func (r *reconciler) apply(ctx context.Context, desired, current client.Object, owned func(client.Object) bool) error {
	want, err := canonical(desired)
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(desired)
	err = r.reader.Get(ctx, key, current)
	if apierrors.IsNotFound(err) {
		// The cache holds only objects with the controller's labels.
		err = r.apiReader.Get(ctx, key, current)
	}
	kind := want.GetKind()
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("get %s %q: %w", kind, key.Name, err)
	case !owned(current):
		return conflictError{kind, key.Name}
	default:
		desired.SetUID(current.GetUID())
		have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(current)
		if err != nil {
			return err
		}
		wantOwners, haveOwners := want.GetOwnerReferences(), current.GetOwnerReferences()
		if isSubset(metadataWithoutOwners(want.Object), have["metadata"]) && equalOwners(wantOwners, haveOwners) && isSubset(withoutMetadata(want.Object), have) {
			return nil
		}
	}
	ctrl.LoggerFrom(ctx).V(1).Info("Applying", "kind", kind, "name", key.Name)
	if err := r.client.Patch(ctx, want, client.Apply, client.FieldOwner(FieldManager), client.ForceOwnership); err != nil {
		return asDenied(fmt.Errorf("apply %s %q: %w", kind, key.Name, err))
	}
	desired.SetUID(want.GetUID())
	return nil
}

// canonical returns o as the API server returns it, annotated with its hash: the hash
// also changes when a field is removed, which isSubset alone would not notice.
func canonical(o client.Object) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &u.Object); err != nil {
		return nil, err
	}
	delete(u.Object, "status")
	u.Object, _ = withoutNulls(u.Object).(map[string]any)
	sum := sha256.Sum256(text)
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[desiredAnnotation] = hex.EncodeToString(sum[:8])
	u.SetAnnotations(annotations)
	return u, nil
}

// withoutNulls removes the nulls that encoding/json writes for unset fields.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil {
				delete(v, k)
				continue
			}
			v[k] = withoutNulls(e)
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

// metadataWithoutOwners returns the metadata of o without ownerReferences, whose order
// does not matter.
func metadataWithoutOwners(o map[string]any) map[string]any {
	out := map[string]any{}
	m, _ := o["metadata"].(map[string]any)
	for k, v := range m {
		if k != "ownerReferences" {
			out[k] = v
		}
	}
	return out
}

func equalOwners(a, b []metav1.OwnerReference) bool {
	byUID := func(o []metav1.OwnerReference) []metav1.OwnerReference {
		return slices.SortedFunc(slices.Values(o), func(a, b metav1.OwnerReference) int { return strings.Compare(string(a.UID), string(b.UID)) })
	}
	return equality.Semantic.DeepEqual(byUID(a), byUID(b))
}

// withoutMetadata returns o without metadata, apiVersion and kind.
func withoutMetadata(o map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range o {
		if k != "metadata" && k != "apiVersion" && k != "kind" {
			out[k] = v
		}
	}
	return out
}

// isSubset reports whether have contains every field of want with an equal value.
// Lists must have equal lengths.
func isSubset(want, have any) bool {
	switch want := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return have == nil && len(want) == 0
		}
		for k, v := range want {
			if !isSubset(v, h[k]) {
				return false
			}
		}
		return true
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(want) {
			return false
		}
		for i := range want {
			if !isSubset(want[i], h[i]) {
				return false
			}
		}
		return true
	case float64:
		if n, ok := have.(int64); ok {
			return float64(n) == want
		}
	}
	return equality.Semantic.DeepEqual(want, have)
}

// delete deletes o if it exists and owned returns true for it, unless an object with another
// UID replaces it meanwhile.
func (r *reconciler) delete(ctx context.Context, o client.Object, owned func(client.Object) bool) error {
	if err := r.reader.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !owned(o) {
		return nil
	}
	uid := o.GetUID()
	err := r.client.Delete(ctx, o, client.Preconditions{UID: &uid})
	if err := client.IgnoreNotFound(err); err != nil {
		return asDenied(fmt.Errorf("delete %q: %w", o.GetName(), err))
	}
	return nil
}

// controlledBy returns a function that reports whether owner controls an object.
func controlledBy(owner client.Object) func(client.Object) bool {
	return func(o client.Object) bool { return metav1.IsControlledBy(o, owner) }
}
