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

package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// patched returns the object with a merge, JSON or strategic patch.
func patched(r Ref, gvk schema.GroupVersionKind, object map[string]any, kind types.PatchType, patch []byte) (map[string]any, error) {
	before, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var after []byte
	switch kind {
	case types.MergePatchType:
		after, err = jsonpatch.MergePatch(before, patch)
	case types.JSONPatchType:
		var operations jsonpatch.Patch
		if operations, err = jsonpatch.DecodePatch(patch); err == nil {
			if after, err = operations.Apply(before); err != nil {
				return nil, unprocessable(r, err) // a test, or a path
			}
		}
	case types.StrategicMergePatchType:
		after, err = strategic(r, gvk, before, patch)
	default:
		err = fmt.Errorf("unknown type of patch %q", kind)
	}
	if err != nil {
		var status *apierrors.StatusError
		if errors.As(err, &status) {
			return nil, err
		}
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return decode(after)
}

func decode(data []byte) (map[string]any, error) {
	var object map[string]any
	if err := utiljson.Unmarshal(data, &object); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return object, nil
}

// strategic applies a strategic merge patch, which only built-in kinds support.
func strategic(r Ref, gvk schema.GroupVersionKind, before, patch []byte) ([]byte, error) {
	typed, err := scheme.Scheme.New(gvk)
	if err != nil {
		return nil, apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "patch", resource(r.GroupKind), r.Name,
			"the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml", 0, false)
	}
	return strategicpatch.StrategicMergePatch(before, patch, typed)
}

// applied returns the object with what a field manager applies: previous is what it has
// applied before, and no longer does is removed. Lists of built-in kinds are merged by
// their keys as a strategic merge patch does; those of other kinds are replaced.
func applied(gvk schema.GroupVersionKind, object, previous, next map[string]any) (map[string]any, error) {
	current, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	modified, err := json.Marshal(next)
	if err != nil {
		return nil, err
	}
	original := []byte("{}")
	if previous != nil {
		if original, err = json.Marshal(previous); err != nil {
			return nil, err
		}
	}
	var after []byte
	if typed, newErr := scheme.Scheme.New(gvk); newErr == nil {
		after, err = applyTyped(original, modified, current, typed)
	} else {
		var patch []byte
		if patch, err = jsonmergepatch.CreateThreeWayJSONMergePatch(original, modified, current); err == nil {
			after, err = jsonpatch.MergePatch(current, patch)
		}
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return decode(after)
}

func applyTyped(original, modified, current []byte, typed runtime.Object) ([]byte, error) {
	lookup, err := strategicpatch.NewPatchMetaFromStruct(typed)
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(original, modified, current, lookup, true)
	if err != nil {
		return nil, err
	}
	return strategicpatch.StrategicMergePatchUsingLookupPatchMeta(current, patch, lookup)
}

// unprocessable is the error of a JSON patch that does not fit the object.
func unprocessable(r Ref, err error) error {
	return apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "patch", resource(r.GroupKind), r.Name, err.Error(), 0, false)
}
