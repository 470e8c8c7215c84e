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

package provider

import (
	"context"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Refresh returns the result of a call with what the object that the call wrote is now. The
// result of another call stays as it is. An object that is gone is an error that is not
// retried.
func Refresh(ctx context.Context, x Executor, call Call, result Result) (Result, error) {
	fields, object, set := writtenObject(result)
	if object == nil {
		return result, nil
	}
	read := Call{Provider: "kube", Do: "get", Path: call.Path, Scope: call.Scope, Params: map[string]any{"resource": identityOf(object), "cluster": call.Params["cluster"]}}
	now, err := x.Execute(ctx, read)
	if apierrors.IsNotFound(err) {
		return nil, &FailedError{Message: fmt.Sprintf("%v %v was deleted while the action waited", object["kind"], nameOf(object))}
	}
	if err != nil {
		return nil, err
	}
	current, _ := now["$returns"].(map[string]any)
	if set == "" {
		return Result{"$returns": current}, nil
	}
	fields = maps.Clone(fields)
	fields[set] = current
	if _, ok := result["$returns"]; ok {
		return Result{"$returns": fields}, nil
	}
	return fields, nil
}

// Identity returns a result with only what identifies the object that the call wrote; false if
// the call wrote none. Refresh reads the object again.
func Identity(result Result) (Result, bool) {
	_, object, set := writtenObject(result)
	if object == nil {
		return nil, false
	}
	kept := identityOf(object)
	if set != "" {
		kept = map[string]any{set: kept}
	}
	if _, ok := result["$returns"]; ok {
		return Result{"$returns": kept}, true
	}
	return kept, true
}

// writtenObject returns the fields of a result and the object in them that was written: the
// field set or, if it is empty, all fields. It is nil if there is none.
func writtenObject(result Result) (fields, object map[string]any, set string) {
	fields, ok := result["$returns"].(map[string]any)
	if !ok {
		fields = result
	} else if isObject(fields) {
		return fields, fields, ""
	}
	for _, name := range []string{"result", "value"} {
		if o, ok := fields[name].(map[string]any); ok && isObject(o) {
			return fields, o, name
		}
	}
	return fields, nil, ""
}

// identityOf returns what identifies an object.
func identityOf(object map[string]any) map[string]any {
	metadata, _ := object["metadata"].(map[string]any)
	return map[string]any{
		"apiVersion": object["apiVersion"], "kind": object["kind"],
		"metadata": map[string]any{"name": metadata["name"], "namespace": str(metadata, "namespace")},
	}
}

func nameOf(object map[string]any) string {
	metadata, _ := object["metadata"].(map[string]any)
	return str(metadata, "name")
}

func isObject(o map[string]any) bool {
	return str(o, "apiVersion") != "" && str(o, "kind") != "" && nameOf(o) != ""
}
