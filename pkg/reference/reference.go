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

// Package reference finds the ConfigMaps and Secrets that an object refers to.
package reference

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kinds of the objects that are referred to.
const (
	ConfigMap = "ConfigMap"
	Secret    = "Secret"
)

// Reference is a ConfigMap or Secret in the namespace of the object that refers to it.
type Reference struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Compare orders references by kind, then by name.
func (r Reference) Compare(other Reference) int {
	return cmp.Or(cmp.Compare(r.Kind, other.Kind), cmp.Compare(r.Name, other.Name))
}

// Of returns what o refers to, sorted by kind and name, without duplicates: o itself if it is
// a ConfigMap or Secret, and the volumes and environment variables of its pod template.
// Kinds of any group have one at spec.template.spec, CronJobs at
// spec.jobTemplate.spec.template.spec, and Pods at spec. Parts of a pod template that do not
// have the types of Kubernetes have no references.
func Of(o *unstructured.Unstructured) []Reference {
	var found references
	kind := o.GroupVersionKind()
	if core := kind.Group == ""; core && (kind.Kind == ConfigMap || kind.Kind == Secret) {
		found.add(kind.Kind, o.GetName())
	} else if spec, ok, err := unstructured.NestedMap(o.Object, podSpecPath(kind)...); ok && err == nil {
		found.addPod(spec)
	}
	slices.SortFunc(found, Reference.Compare)
	return slices.Compact(found)
}

// podSpecPath returns the path of the spec of a kind's pods.
func podSpecPath(k schema.GroupVersionKind) []string {
	switch (schema.GroupKind{Group: k.Group, Kind: k.Kind}) {
	case schema.GroupKind{Kind: "Pod"}:
		return []string{"spec"}
	case schema.GroupKind{Group: "batch", Kind: "CronJob"}:
		return []string{"spec", "jobTemplate", "spec", "template", "spec"}
	default:
		return []string{"spec", "template", "spec"}
	}
}

type references []Reference

func (r *references) add(kind, name string) {
	if name != "" {
		*r = append(*r, Reference{Kind: kind, Name: name})
	}
}

// addPod adds the references of the spec of a pod.
func (r *references) addPod(spec map[string]any) {
	for v := range decode[corev1.Volume](spec["volumes"]) {
		if v.ConfigMap != nil {
			r.add(ConfigMap, v.ConfigMap.Name)
		}
		if v.Secret != nil {
			r.add(Secret, v.Secret.SecretName)
		}
		if v.Projected == nil {
			continue
		}
		for _, p := range v.Projected.Sources {
			if p.ConfigMap != nil {
				r.add(ConfigMap, p.ConfigMap.Name)
			}
			if p.Secret != nil {
				r.add(Secret, p.Secret.Name)
			}
		}
	}
	for _, containers := range []string{"initContainers", "containers"} {
		for c := range decode[corev1.Container](spec[containers]) {
			r.addContainer(c)
		}
	}
}

func (r *references) addContainer(c corev1.Container) {
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			continue
		}
		if s := e.ValueFrom.ConfigMapKeyRef; s != nil {
			r.add(ConfigMap, s.Name)
		}
		if s := e.ValueFrom.SecretKeyRef; s != nil {
			r.add(Secret, s.Name)
		}
	}
	for _, e := range c.EnvFrom {
		if e.ConfigMapRef != nil {
			r.add(ConfigMap, e.ConfigMapRef.Name)
		}
		if e.SecretRef != nil {
			r.add(Secret, e.SecretRef.Name)
		}
	}
}

// decode returns the elements of a list that have the fields of T.
func decode[T any](list any) func(yield func(T) bool) {
	return func(yield func(T) bool) {
		elements, _ := list.([]any)
		for _, e := range elements {
			var out T
			fields, ok := e.(map[string]any)
			if !ok || runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &out) != nil {
				continue
			}
			if !yield(out) {
				return
			}
		}
	}
}
