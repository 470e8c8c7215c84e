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

package kubeschema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	workflow "github.com/kubevela/workflow/api/v1alpha1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/datatype"
)

// builtIn returns the Go types of the kinds that are built in. They are part of the program, since clients
// of Kubernetes need them.
func builtIn() map[schema.GroupVersionKind]reflect.Type {
	all := others()
	for kind, t := range scheme.Scheme.AllKnownTypes() {
		if isObject(t) {
			all[kind] = t
		}
	}
	return all
}

// builtInType returns the Go type of a kind, if it is built in.
func builtInType(kind schema.GroupVersionKind) (reflect.Type, bool) {
	if t, ok := others()[kind]; ok {
		return t, true
	}
	t, ok := scheme.Scheme.AllKnownTypes()[kind]
	return t, ok && isObject(t)
}

func isObject(t reflect.Type) bool {
	f, ok := t.FieldByName("ObjectMeta")
	return ok && f.Type == reflect.TypeFor[metav1.ObjectMeta]()
}

// others returns the types of the kinds that are not those of Kubernetes's own API groups.
func others() map[schema.GroupVersionKind]reflect.Type {
	return map[schema.GroupVersionKind]reflect.Type{
		apiextensions.SchemeGroupVersion.WithKind("CustomResourceDefinition"): reflect.TypeFor[apiextensions.CustomResourceDefinition](),
		workflow.WorkflowRunGroupVersionKind:                                  reflect.TypeFor[workflow.WorkflowRun](),
		v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerServiceKind):         reflect.TypeFor[v1alpha1.TriggerService](),
	}
}

// removal returns why a kind is no longer served, and which is in its place, or "".
func removal(kind schema.GroupVersionKind, t reflect.Type) string {
	object := reflect.New(t).Interface()
	removed, ok := object.(interface{ APILifecycleRemoved() (major, minor int) })
	if !ok {
		return ""
	}
	replaced, ok := object.(interface {
		APILifecycleReplacement() schema.GroupVersionKind
	})
	if !ok || age(kind.Version) == 0 {
		return ""
	}
	major, minor := removed.APILifecycleRemoved()
	return fmt.Sprintf("Kubernetes %d.%d has removed %s; did you mean the apiVersion %q?", major, minor, Name(kind), replaced.APILifecycleReplacement().GroupVersion())
}

// objectType returns the type of the JSON of objects of a Go type, for a kind of that name.
func objectType(t reflect.Type, name string) datatype.Type {
	return reflector{origin: name}.typeOf(t, nil)
}

// reflector makes types of Go types.
type reflector struct{ origin string }

// typeOf returns the type of the JSON of values of t. within are the structs that contain it: of one that
// contains itself, nothing is known within.
func (r reflector) typeOf(t reflect.Type, within []reflect.Type) datatype.Type {
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		return datatype.Type{Kinds: datatype.String | datatype.Number, Format: datatype.Quantity}
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime]():
		return datatype.Type{Kinds: datatype.String, Format: datatype.Time}
	case reflect.TypeFor[metav1.Duration]():
		return datatype.Of(datatype.String)
	case reflect.TypeFor[intstr.IntOrString]():
		return datatype.Of(datatype.String | datatype.Number)
	}
	if t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()) {
		return datatype.Of(datatype.Any)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return r.typeOf(t.Elem(), within)
	case reflect.Bool:
		return datatype.Of(datatype.Bool)
	case reflect.String:
		return datatype.Of(datatype.String)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return datatype.Of(datatype.Number)
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return datatype.Of(datatype.String)
		}
		return datatype.ListOf(r.typeOf(t.Elem(), within))
	case reflect.Map:
		return datatype.MapOf(r.typeOf(t.Elem(), within))
	case reflect.Struct:
		if slices.Contains(within, t) {
			return datatype.Of(datatype.Struct)
		}
		s := datatype.Type{Kinds: datatype.Struct, Fields: map[string]datatype.Type{}, Closed: true, Origin: r.origin}
		r.addFields(s.Fields, t, append(slices.Clip(within), t))
		return s
	}
	return datatype.Of(datatype.Any)
}

// addFields adds the fields of the JSON of a struct, and of those that are inline in it.
func (r reflector) addFields(fields map[string]datatype.Type, t reflect.Type, within []reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case !f.IsExported() || name == "-":
		case name == "" && inner.Kind() == reflect.Struct:
			r.addFields(fields, inner, within)
		case name != "":
			fields[name] = r.typeOf(f.Type, within)
		}
	}
}
