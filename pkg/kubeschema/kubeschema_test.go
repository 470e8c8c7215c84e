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

package kubeschema_test

import (
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
)

func kind(apiVersion, kind string) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(apiVersion, kind)
}

// at returns the type at a path of fields; "[]" are the elements of a list.
func at(t *testing.T, of datatype.Type, path string) datatype.Type {
	t.Helper()
	for name := range strings.SplitSeq(path, ".") {
		if name == "[]" {
			of = of.Element()
			continue
		}
		next, ok := of.Field(name)
		if !ok {
			t.Fatalf("%s: no field %q", path, name)
		}
		of = next
	}
	return of
}

func TestSchemas_Find_BuiltIn(t *testing.T) {
	var s *kubeschema.Schemas
	for _, tt := range []struct {
		apiVersion, kind, path string
		kinds                  datatype.Kinds
		format                 datatype.Format
	}{
		{"apps/v1", "Deployment", "spec.replicas", datatype.Number, ""},
		{"apps/v1", "Deployment", "metadata.labels.anything", datatype.String, ""},
		{"apps/v1", "Deployment", "metadata.creationTimestamp", datatype.String, datatype.Time},
		{"apps/v1", "Deployment", "spec.strategy.rollingUpdate.maxSurge", datatype.String | datatype.Number, ""},
		{"apps/v1", "Deployment", "spec.template.spec.containers.[].resources.limits.cpu", datatype.String | datatype.Number, datatype.Quantity},
		{"v1", "ConfigMap", "data.any", datatype.String, ""},
		{"v1", "Secret", "data.any", datatype.String, ""},
		{"v1", "Pod", "kind", datatype.String, ""},
		{"v1", "Pod", "status.containerStatuses.[].ready", datatype.Bool, ""},
		{"events.k8s.io/v1", "Event", "series.count", datatype.Number, ""},
		{"core.oam.dev/v1alpha1", "WorkflowRun", "status.status", datatype.String, ""},
		{"apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec.versions.[].schema.openAPIV3Schema.properties.x.anything", datatype.Any, ""},
	} {
		found := s.Find(kind(tt.apiVersion, tt.kind))
		if !found.Known || found.Problem != "" {
			t.Errorf("%s %s: %+v", tt.apiVersion, tt.kind, found.Problem)
			continue
		}
		if got := at(t, found.Type, tt.path); got.Kinds != tt.kinds || got.Format != tt.format {
			t.Errorf("%s %s: %s: got %b %q", tt.apiVersion, tt.kind, tt.path, got.Kinds, got.Format)
		}
	}
	if _, ok := s.Find(kind("apps/v1", "Deployment")).Type.Field("stauts"); ok {
		t.Error("Deployment has a field stauts")
	}
}

func TestSchemas_Find_Problem(t *testing.T) {
	s := readFile(t)
	for _, tt := range []struct {
		apiVersion, kind, want string
	}{
		{"apps/v1", "Deploymnt", `apps/v1 has no kind "Deploymnt"; did you mean "Deployment"?`},
		{"apps/v1", "deployment", `apps/v1 has no kind "deployment"; did you mean "Deployment"?`},
		{"apps/v1beta1", "Deployment", `Kubernetes 1.16 has removed apps/v1beta1 Deployment; did you mean the apiVersion "apps/v1"?`},
		{"extensions/v1beta1", "Ingress", `Kubernetes 1.22 has removed extensions/v1beta1 Ingress; did you mean the apiVersion "networking.k8s.io/v1"?`},
		{"v1", "Deployment", `v1 has no kind "Deployment"; did you mean the apiVersion "apps/v1"?`},
		{"app/v1", "Deployment", `app/v1 has no kind "Deployment"; did you mean the apiVersion "apps/v1"?`},
		{"apps/v1", "Widget", `apps/v1 has no kind "Widget"; did you mean the apiVersion "example.com/v1"?`},
		{"apps/v1", "Nothing", `apps/v1 has no kind "Nothing"`},
		{"example.com/v1", "Widgt", `example.com/v1 has no kind "Widgt"; did you mean "Widget"?`},
		{"example.com/v2", "Widget", `example.com/v2 has no kind "Widget"; did you mean the apiVersion "example.com/v1"?`},
		// A CustomResourceDefinition may define these.
		{"serving.knative.dev/v1", "Service", ""},
		{"example.org/v1", "Widget", ""},
	} {
		found := s.Find(kind(tt.apiVersion, tt.kind))
		if found.Problem != tt.want || found.APIVersion != strings.Contains(tt.want, "the apiVersion") {
			t.Errorf("%s %s: got %q, want %q", tt.apiVersion, tt.kind, found.Problem, tt.want)
		}
	}
}

// readFile returns the schemas of testdata.
func readFile(t *testing.T) *kubeschema.Schemas {
	t.Helper()
	s := kubeschema.New(nil)
	for _, name := range []string{"testdata/widget.yaml", "testdata/openapi.json"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(text); err != nil || n != 1 {
			t.Fatalf("%s: %d kinds, %v", name, n, err)
		}
	}
	return s
}

func TestSchemas_Read(t *testing.T) {
	s := readFile(t)
	widget, gadget := s.Find(kind("example.com/v1", "Widget")), s.Find(kind("gadgets.example.com/v1", "Gadget"))
	if !widget.Known || !gadget.Known || widget.Current {
		t.Fatalf("got %+v, %+v", widget, gadget)
	}
	for path, want := range map[string]datatype.Kinds{
		"spec.size": datatype.Number, "spec.port": datatype.Number | datatype.String, "spec.values.any.thing": datatype.Any,
		"spec.tags.[]": datatype.String, "spec.labels.x": datatype.String, "spec.open.x": datatype.Any,
		"spec.template.metadata.name": datatype.String, "spec.maybe": datatype.Bool | datatype.Null,
		"status.since": datatype.String, "metadata.labels.x": datatype.String, "kind": datatype.String,
	} {
		if got := at(t, widget.Type, path).Kinds; got != want {
			t.Errorf("Widget: %s: got %b, want %b", path, got, want)
		}
	}
	for path, want := range map[string]datatype.Kinds{
		"spec.storage": datatype.String | datatype.Number, "spec.children.[].children": datatype.Any, "metadata.creationTimestamp": datatype.String,
	} {
		if got := at(t, gadget.Type, path).Kinds; got != want {
			t.Errorf("Gadget: %s: got %b, want %b", path, got, want)
		}
	}
	spec := at(t, widget.Type, "spec")
	if _, ok := spec.Field("sizes"); ok || spec.Origin != "example.com/v1 Widget" {
		t.Errorf("got %+v", spec)
	}
}

func TestSchemas_Read_Invalid(t *testing.T) {
	for text, want := range map[string]string{
		"a: [":                     "neither a CustomResourceDefinition nor a document of OpenAPI v3",
		"kind: Pod":                "",
		"":                         "",
		"components: {schemas: 1}": "neither",
	} {
		n, err := kubeschema.New(nil).Read([]byte(text))
		if n != 0 || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %d, %v", text, n, err)
		}
	}
}

// FuzzSchemas_Read: no file makes it fail or grow without end.
func FuzzSchemas_Read(f *testing.F) {
	for _, name := range []string{"testdata/widget.yaml", "testdata/openapi.json"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		s := kubeschema.New(nil)
		_, _ = s.Read(text)
		s.Find(kind("example.com/v1", "Widget"))
		s.Find(kind("gadgets.example.com/v1", "Gadget"))
	})
}

func BenchmarkSchemas_Find(b *testing.B) {
	var s *kubeschema.Schemas
	for b.Loop() {
		s.Find(kind("apps/v1", "Deployment"))
	}
}
