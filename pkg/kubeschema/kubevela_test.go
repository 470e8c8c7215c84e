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
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write kubevela.json.gz")

// TestKubeVela: the embedded schemas are those of the version of KubeVela that the tests use.
func TestKubeVela(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/oam-dev/kubevela")
	list.Dir = "../../test/kubevela"
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	module := strings.TrimSpace(string(out))
	if module == "" && !*update {
		t.Skip("KubeVela is not downloaded: go -C test/kubevela mod download github.com/oam-dev/kubevela")
	}
	files, err := filepath.Glob(module + "/charts/vela-core/crds/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("got the files %v, %v", files, err)
	}
	var want bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d document
		if err := yaml.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		encoded, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		want.Write(append(encoded, '\n'))
	}
	if *update {
		var compressed bytes.Buffer
		w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(want.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("kubevela.json.gz", compressed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	r, err := gzip.NewReader(bytes.NewReader(kubeVelaSchemas))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := got.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Error("kubevela.json.gz is not of this version of KubeVela; make generate")
	}
}

func TestSchemas_Find_KubeVela(t *testing.T) {
	var s *Schemas
	kind := v1beta1.ApplicationKindVersionKind
	found := s.Find(kind)
	components := found.Type.Fields["spec"].Fields["components"].Element()
	if names := []string{"name", "type", "properties", "traits"}; slices.ContainsFunc(names, func(n string) bool { _, ok := components.Fields[n]; return !ok }) {
		t.Errorf("got components %+v", components)
	}
	if _, ok := found.Type.Fields["status"].Field("stauts"); ok || !found.Known || found.Current {
		t.Errorf("got %v, %v", found.Known, found.Current)
	}
	kind.Kind = "Applicatoin"
	if got, want := s.Find(kind).Problem, `core.oam.dev/v1beta1 has no kind "Applicatoin"; did you mean "Application"?`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func BenchmarkSchemas_Find_KubeVela(b *testing.B) {
	var s *Schemas
	for b.Loop() {
		s.Find(v1beta1.ApplicationKindVersionKind)
	}
}
