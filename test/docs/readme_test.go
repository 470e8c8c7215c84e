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

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestReadme_Figures checks that each figure in the sections Guarantees and Comparison of README.md is in
// docs/benchmarks.md or docs/reliability.md.
func TestReadme_Figures(t *testing.T) {
	known := map[string]bool{}
	for _, file := range []string{"docs/benchmarks.md", "docs/reliability.md"} {
		for _, n := range figures(read(t, file)) {
			known[n] = true
		}
	}
	text := read(t, "README.md")
	_, guarantees, ok := strings.Cut(text, "\n## Guarantees\n")
	if !ok {
		t.Fatal("README.md: got no section Guarantees, want one")
	}
	guarantees, _, _ = strings.Cut(guarantees, "\n## ")
	_, measured, ok := strings.Cut(text, "\nThese figures were measured on ")
	if !ok {
		t.Fatal("README.md: got no figures of peers, want some")
	}
	measured, _, _ = strings.Cut(measured, "\n## ")
	found := figures(guarantees + measured)
	if len(found) < 50 {
		t.Errorf("README.md: got %d figures, want at least 50", len(found))
	}
	for _, n := range found {
		if !known[n] {
			t.Errorf("README.md: figure %s is neither in docs/benchmarks.md nor in docs/reliability.md", n)
		}
	}
}

// figures returns the numbers of a text, without separators of thousands and zeros at the end of decimals.
func figures(text string) []string {
	var out []string
	text = regexp.MustCompile(`\]\([^)]*\)`).ReplaceAllString(text, "]")
	for _, n := range regexp.MustCompile(`\b\d(?:[\d,.]*\d)?\b`).FindAllString(text, -1) {
		n = strings.ReplaceAll(n, ",", "")
		if f, err := strconv.ParseFloat(n, 64); err == nil {
			n = strconv.FormatFloat(f, 'f', -1, 64)
		}
		out = append(out, n)
	}
	return out
}

// TestReadme_Images checks that the images of README.md exist, are SVG, and refer to nothing outside.
func TestReadme_Images(t *testing.T) {
	images := regexp.MustCompile(`(?:src|srcset)="([^"]+)"`).FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(images) != 2 {
		t.Errorf("README.md: got %d images, want one for each color scheme", len(images))
	}
	for _, m := range images {
		text, err := os.ReadFile(filepath.Join(root, m[1]))
		if err != nil {
			t.Error(err)
			continue
		}
		svg := strings.Replace(string(text), `xmlns="http://www.w3.org/2000/svg"`, "", 1)
		if !strings.HasPrefix(svg, "<svg") || regexp.MustCompile(`https?:|href|@import|url\(`).MatchString(svg) {
			t.Errorf("%s: got no SVG, or one that refers to something outside", m[1])
		}
	}
}
