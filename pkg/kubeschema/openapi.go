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
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/kubevela/kube-trigger/pkg/datatype"
)

const (
	// maxFields and maxDepth limit the type of one kind. Nothing is known of what is beyond.
	maxFields, maxDepth = 20_000, 40
	// refPrefix precedes the name of a schema in a document of OpenAPI.
	refPrefix = "#/components/schemas/"
)

// Read adds the kinds in the text of a file: CustomResourceDefinitions in YAML, or documents of OpenAPI v3 as
// `kubectl get --raw /openapi/v3/apis/GROUP/VERSION` prints them. Other objects are passed over. It
// returns the number of kinds.
func (s *Schemas) Read(text []byte) (kinds int, err error) {
	if s.kinds == nil {
		s.kinds = map[schema.GroupVersionKind]definition{}
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var d document
		err := decoder.Decode(&d)
		var mismatch *json.UnmarshalTypeError
		switch {
		case errors.Is(err, io.EOF):
			return kinds, nil
		case errors.As(err, &mismatch):
			return kinds, fmt.Errorf("neither a CustomResourceDefinition nor a document of OpenAPI v3: %s must not be of the type %s", mismatch.Field, mismatch.Value)
		case err != nil:
			return kinds, fmt.Errorf("neither a CustomResourceDefinition nor a document of OpenAPI v3: %w", err)
		}
		for kind, root := range d.roots() {
			s.kinds[kind] = definition{func() datatype.Type { return d.typeOf(kind, root) }, false}
			kinds++
		}
	}
}

// document is a CustomResourceDefinition, or a document of OpenAPI.
type document struct {
	Kind       string     `json:"kind,omitempty"`
	Spec       crdSpec    `json:"spec,omitzero"`
	Components components `json:"components,omitzero"`
}

// crdSpec is the spec of a CustomResourceDefinition.
type crdSpec struct {
	Group    string       `json:"group"`
	Names    crdNames     `json:"names"`
	Versions []crdVersion `json:"versions"`
}

type crdNames struct {
	Kind string `json:"kind"`
}

type crdVersion struct {
	Name   string    `json:"name"`
	Schema crdSchema `json:"schema"`
}

type crdSchema struct {
	OpenAPIV3Schema node `json:"openAPIV3Schema"`
}

// components has the schemas of a document of OpenAPI.
type components struct {
	Schemas map[string]node `json:"schemas"`
}

// node is a schema of OpenAPI.
type node struct {
	Ref                  string                    `json:"$ref,omitempty"`
	AllOf                []node                    `json:"allOf,omitempty"`
	Type                 string                    `json:"type,omitempty"`
	Format               string                    `json:"format,omitempty"`
	Nullable             bool                      `json:"nullable,omitempty"`
	Properties           map[string]node           `json:"properties,omitempty"`
	AdditionalProperties json.RawMessage           `json:"additionalProperties,omitempty"`
	Items                *node                     `json:"items,omitempty"`
	Preserve             bool                      `json:"x-kubernetes-preserve-unknown-fields,omitempty"`
	IntOrString          bool                      `json:"x-kubernetes-int-or-string,omitempty"`
	Embedded             bool                      `json:"x-kubernetes-embedded-resource,omitempty"`
	Kinds                []metav1.GroupVersionKind `json:"x-kubernetes-group-version-kind,omitempty"`
}

// roots returns the schemas of the kinds of a document.
func (d document) roots() map[schema.GroupVersionKind]node {
	roots := map[schema.GroupVersionKind]node{}
	if d.Kind == "CustomResourceDefinition" {
		for _, v := range d.Spec.Versions {
			root := v.Schema.OpenAPIV3Schema
			root.Embedded = true
			roots[schema.GroupVersionKind{Group: d.Spec.Group, Version: v.Name, Kind: d.Spec.Names.Kind}] = root
		}
	}
	for _, root := range d.Components.Schemas {
		if _, isObject := root.Properties["metadata"]; isObject && len(root.Kinds) == 1 && root.Properties["items"].Items == nil {
			roots[schema.GroupVersionKind(root.Kinds[0])] = root
		}
	}
	return roots
}

// typeOf returns the type of the objects of a kind.
func (d document) typeOf(kind schema.GroupVersionKind, root node) datatype.Type {
	r := reader{schemas: d.Components.Schemas, origin: Name(kind), rest: maxFields}
	return r.typeOf(root, nil)
}

// reader makes a type of a schema of OpenAPI.
type reader struct {
	schemas map[string]node
	origin  string
	// rest is the number of fields that the type may still get.
	rest int
}

// typeOf returns the type of the values of a schema. within are the names of the schemas that contain it.
func (r *reader) typeOf(n node, within []string) datatype.Type {
	if r.rest--; r.rest < 0 || len(within) > maxDepth {
		return datatype.Of(datatype.Any)
	}
	if n.Ref == "" && len(n.AllOf) == 1 && n.Type == "" {
		n.Ref = n.AllOf[0].Ref
	}
	if name, ok := strings.CutPrefix(n.Ref, refPrefix); ok {
		switch {
		case strings.HasSuffix(name, ".api.resource.Quantity"):
			return datatype.Type{Kinds: datatype.String | datatype.Number, Format: datatype.Quantity}
		case slices.Contains(within, name):
			return datatype.Of(datatype.Any)
		}
		return r.typeOf(r.schemas[name], append(slices.Clip(within), name))
	}
	within = append(slices.Clip(within), "")
	t := r.plainType(n, within)
	if n.Nullable {
		t.Kinds |= datatype.Null
	}
	return t
}

// plainType returns the type of a schema that is no reference.
func (r *reader) plainType(n node, within []string) datatype.Type {
	switch {
	case n.IntOrString || n.Format == "int-or-string":
		return datatype.Of(datatype.String | datatype.Number)
	case n.Type == "string" && n.Format == "date-time":
		return datatype.Type{Kinds: datatype.String, Format: datatype.Time}
	case n.Type == "string":
		return datatype.Of(datatype.String)
	case n.Type == "integer" || n.Type == "number":
		return datatype.Of(datatype.Number)
	case n.Type == "boolean":
		return datatype.Of(datatype.Bool)
	case n.Type == "array" && n.Items != nil:
		return datatype.ListOf(r.typeOf(*n.Items, within))
	case n.Type == "array":
		return datatype.Of(datatype.List)
	case n.Type == "object" || len(n.Properties) > 0:
		return r.structType(n, within)
	}
	return datatype.Of(datatype.Any)
}

func (r *reader) structType(n node, within []string) datatype.Type {
	t := datatype.Of(datatype.Struct)
	var values node
	switch {
	case len(n.AdditionalProperties) > 0 && n.AdditionalProperties[0] == '{' && json.Unmarshal(n.AdditionalProperties, &values) == nil:
		of := r.typeOf(values, within)
		t.Values = &of
	case len(n.Properties) == 0 && !n.Embedded, n.Preserve, string(n.AdditionalProperties) == "true":
	default:
		t.Closed, t.Origin = true, r.origin
	}
	t.Fields = map[string]datatype.Type{}
	for name, property := range n.Properties {
		t.Fields[name] = r.typeOf(property, within)
	}
	if n.Embedded {
		t.Fields["apiVersion"], t.Fields["kind"] = datatype.Of(datatype.String), datatype.Of(datatype.String)
		t.Fields["metadata"] = objectType(reflect.TypeFor[metav1.ObjectMeta](), r.origin)
	}
	return t
}
