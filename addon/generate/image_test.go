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

package main

import (
	"os"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"sigs.k8s.io/yaml"
)

// TestImage checks that the release workflow pushes the image that the addon and the
// controller ask for by default.
func TestImage(t *testing.T) {
	v, err := load("..", "")
	if err != nil {
		t.Fatal(err)
	}
	image, err := v.LookupPath(cue.ParsePath("parameter.image")).String()
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Env   map[string]string
			Steps []struct{ Run string }
		}
	}
	if err := yaml.Unmarshal(read(t, "../../.github/workflows/release.yaml"), &workflow); err != nil {
		t.Fatal(err)
	}
	job := workflow.Jobs["image"]
	if got := job.Env["REPOSITORY"]; got != image {
		t.Errorf("image that the release workflow pushes: got %q, want %q, the default of the addon", got, image)
	}
	pushed := false
	for _, s := range job.Steps {
		pushed = pushed || strings.Contains(s.Run, `buildah manifest push --all release "docker://$REPOSITORY:$VERSION"`)
	}
	if !pushed {
		t.Errorf("release workflow: got steps %v, want one that pushes $REPOSITORY:$VERSION", job.Steps)
	}
	if want := `"` + image + `:"+version`; !strings.Contains(string(read(t, "../../cmd/kube-trigger/controller.go")), want) {
		t.Errorf("cmd/kube-trigger/controller.go: want the default %s of --worker-image", want)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
