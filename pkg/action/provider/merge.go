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
	"encoding/base64"
	"encoding/json"

	threeway "github.com/kubevela/pkg/util/k8s/patch"
	wfkube "github.com/kubevela/workflow/pkg/providers/kube"
	providertypes "github.com/kubevela/workflow/pkg/providers/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/redact"
)

// newHandlers returns the functions with which the functions of the workflow write objects.
func newHandlers() *providertypes.KubeHandlers {
	return &providertypes.KubeHandlers{
		Apply: mergeObjects,
		Delete: func(ctx context.Context, c client.Client, _, _ string, o *unstructured.Unstructured) error {
			return c.Delete(ctx, o)
		},
	}
}

// mergeObjects creates or updates objects by a three-way merge, as the workflow does. What
// was applied last is in an annotation, so that fields that are not applied any more are
// removed. The annotation of a Secret has the names of its fields, and no values.
func mergeObjects(ctx context.Context, c client.Client, _, _ string, objects ...*unstructured.Unstructured) error {
	for _, o := range objects {
		if err := mergeObject(ctx, c, o); err != nil {
			return err
		}
	}
	return nil
}

// originalAnnotation has what was applied before, in the copy of an object from which a
// patch is computed.
const originalAnnotation = "kube-trigger/original"

func mergeObject(ctx context.Context, c client.Client, o *unstructured.Unstructured) error {
	if redact.IsSecret(o.Object) {
		encodeStringData(o.Object)
	}
	applied, err := lastApplied(o)
	if err != nil {
		return err
	}
	annotate(o, wfkube.AnnoWorkflowLastAppliedConfig, applied)
	current := &unstructured.Unstructured{}
	current.SetGroupVersionKind(o.GroupVersionKind())
	if err := c.Get(ctx, client.ObjectKeyFromObject(o), current); apierrors.IsNotFound(err) {
		return c.Create(ctx, o)
	} else if err != nil {
		return err
	}
	if original := current.GetAnnotations()[wfkube.AnnoWorkflowLastAppliedConfig]; original != "" {
		annotate(current, originalAnnotation, original)
	}
	merge, err := threeway.ThreeWayMergePatch(current, o, &threeway.PatchAction{AnnoLastAppliedConfig: originalAnnotation})
	if err != nil {
		return err
	}
	return c.Patch(ctx, o, merge)
}

func annotate(o *unstructured.Unstructured, name, value string) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[name] = value
	o.SetAnnotations(annotations)
}

// lastApplied returns o as JSON. The data and annotations of a Secret, to which other tools
// may have copied its data, are without values: a three-way merge needs only the names.
func lastApplied(o *unstructured.Unstructured) (string, error) {
	applied := o.DeepCopy()
	unstructured.RemoveNestedField(applied.Object, "metadata", "annotations", wfkube.AnnoWorkflowLastAppliedConfig)
	if redact.IsSecret(o.Object) {
		for _, path := range [][]string{{"data"}, {"stringData"}, {"metadata", "annotations"}} {
			found, _, _ := unstructured.NestedFieldNoCopy(applied.Object, path...)
			values, _ := found.(map[string]any)
			for name := range values {
				values[name] = ""
			}
		}
	}
	text, err := json.Marshal(applied.Object)
	return string(text), err
}

// encodeStringData moves the stringData of a Secret to its data, as the API server does, so
// that a merge sees what is not in it any more. It leaves values that are no texts.
func encodeStringData(secret map[string]any) {
	texts, _ := secret["stringData"].(map[string]any)
	data, isObject := secret["data"].(map[string]any)
	if len(texts) == 0 || !isObject && secret["data"] != nil {
		return
	}
	if data == nil {
		data = map[string]any{}
		secret["data"] = data
	}
	for name, value := range texts {
		if text, ok := value.(string); ok {
			data[name] = base64.StdEncoding.EncodeToString([]byte(text))
			delete(texts, name)
		}
	}
	if len(texts) == 0 {
		delete(secret, "stringData")
	}
}
