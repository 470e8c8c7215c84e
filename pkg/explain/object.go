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

package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"cuelang.org/go/cue"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/observe"
)

// Object is an object of interest.
type Object struct {
	Kind schema.GroupVersionKind
	Key  client.ObjectKey
}

// String returns the object in the form "ConfigMap team-a/settings".
func (o *Object) String() string {
	if o.Key.Namespace == "" {
		return o.Kind.Kind + " " + o.Key.Name
	}
	return o.Kind.Kind + " " + o.Key.String()
}

// ParseObject parses KIND/NAME or KIND/NAMESPACE/NAME. KIND is a kind, a resource or its short name, with the
// group if there are several: "deployment", "deployments.apps". An object without a namespace
// is in namespace, if its kind has namespaces.
func ParseObject(text, namespace string, mapper meta.RESTMapper) (*Object, error) {
	parts := strings.Split(text, "/")
	valid := len(parts) == 2 || len(parts) == 3
	for _, part := range parts {
		valid = valid && part != ""
	}
	if !valid {
		return nil, fmt.Errorf("%q: must be KIND/NAME or KIND/NAMESPACE/NAME, such as deployment/web", text)
	}
	resource := schema.ParseGroupResource(strings.ToLower(parts[0]))
	kind, err := mapper.KindFor(resource.WithVersion(""))
	if err != nil {
		if meta.IsNoMatchError(err) {
			return nil, fmt.Errorf("%q: no kind or resource %q in the cluster", text, parts[0])
		}
		return nil, fmt.Errorf("%q: look up %q: %w", text, parts[0], err)
	}
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	o := &Object{Kind: kind, Key: client.ObjectKey{Name: parts[len(parts)-1]}}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		o.Key.Namespace = namespace
		if len(parts) == 3 {
			o.Key.Namespace = parts[1]
		}
	}
	return o, nil
}

// isOf reports whether a decision of a rule is about the object.
func (o *Object) isOf(r Rule, d observe.Decision) bool {
	if w := r.watch(); w != nil && w.Kind.GroupKind() != o.Kind.GroupKind() {
		return false
	}
	return keyOf(d) == o.Key
}

// keyOf returns the name of the object of a decision.
func keyOf(d observe.Decision) client.ObjectKey {
	namespace, name, ok := strings.Cut(d.Event.Key, "/")
	if !ok {
		return client.ObjectKey{Name: d.Event.Key}
	}
	return client.ObjectKey{Namespace: namespace, Name: name}
}

// valueNow returns what the field that a filter decided by has now, or why that is not known.
func (e Explainer) valueNow(ctx context.Context, r Rule, d observe.Decision) string {
	path, ok := strings.CutPrefix(d.Path, "context.data.")
	w := r.watch()
	if !ok || w == nil || d.Event.Cluster != "" {
		return ""
	}
	kind := w.Kind
	if kind.Group == "" && kind.Kind == "Secret" && !strings.HasPrefix(path, "metadata.name") {
		return "not shown, as it is part of a Secret"
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kind)
	switch err := e.Client.Get(ctx, keyOf(d), o); {
	case apierrors.IsNotFound(err):
		return "the object does not exist any more"
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("not shown, as you may not get this %s", kind.Kind)
	case err != nil:
		return "not known: " + err.Error()
	}
	value, ok := lookUp(o.Object, cue.ParsePath(path).Selectors())
	if !ok {
		return "absent"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return truncate(string(text))
}

// lookUp returns the value at a path, and whether there is one.
func lookUp(v any, path []cue.Selector) (any, bool) {
	for _, s := range path {
		switch parent := v.(type) {
		case map[string]any:
			if s.LabelType() != cue.StringLabel {
				return nil, false
			}
			value, ok := parent[s.Unquoted()]
			if !ok {
				return nil, false
			}
			v = value
		case []any:
			if s.LabelType() != cue.IndexLabel || s.Index() >= len(parent) {
				return nil, false
			}
			v = parent[s.Index()]
		default:
			return nil, false
		}
	}
	return v, true
}

// maxValue is the maximum length of a value that is shown, in bytes.
const maxValue = 200

func truncate(s string) string {
	if len(s) <= maxValue {
		return s
	}
	return strings.ToValidUTF8(s[:maxValue], "") + "…"
}
