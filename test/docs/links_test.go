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
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// TestLinks checks that each relative link of the documents leads to a file, and to a heading of it.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	files := append(documents(t), "addon/README.md")
	for _, pattern := range []string{"docs/*/*.md", "*.md", "definitions/*.md", "test/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			files = append(files, strings.TrimPrefix(f, root+"/"))
		}
	}
	links := 0
	for _, file := range files {
		for n, line := range strings.Split(withoutCode(read(t, file)), "\n") {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
					continue
				}
				links++
				path, anchor, _ := strings.Cut(m[1], "#")
				target := file
				if path != "" {
					target = filepath.Join(filepath.Dir(file), path)
				}
				if _, err := os.Stat(filepath.Join(root, target)); err != nil {
					t.Errorf("%s:%d: %s: no such file", file, n+1, m[1])
				} else if anchor != "" && strings.HasSuffix(target, ".md") && !anchors(read(t, target))[anchor] {
					t.Errorf("%s:%d: %s: no such heading", file, n+1, m[1])
				}
			}
		}
	}
	if links < 100 {
		t.Errorf("got %d links, want at least 100", links)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withoutCode returns a document with empty lines in place of its code blocks.
func withoutCode(text string) string {
	out := strings.Split(text, "\n")
	inBlock := false
	for i, line := range out {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if inBlock || fence {
			out[i] = ""
		}
		if fence {
			inBlock = !inBlock
		}
	}
	return strings.Join(out, "\n")
}

// explicitAnchor matches the anchor of a former heading: `<a id="circles"></a>`.
var explicitAnchor = regexp.MustCompile(`^<a id="([a-z0-9-]+)"></a>$`)

// anchors returns the anchors that GitHub gives the headings of a document: lower case, without
// punctuation, with "-" for spaces, and numbered where two are alike. Anchors on lines of their
// own, which keep links to former headings valid, are included.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, line := range strings.Split(withoutCode(text), "\n") {
		if m := explicitAnchor.FindStringSubmatch(line); m != nil {
			out[m[1]] = true
			continue
		}
		marks, heading, ok := strings.Cut(line, " ")
		if !ok || marks == "" || strings.Trim(marks, "#") != "" {
			continue
		}
		heading = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(strings.TrimSpace(heading), "$1")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, heading)
		name := anchor
		for n := 1; out[name]; n++ {
			name = fmt.Sprintf("%s-%d", anchor, n)
		}
		out[name] = true
	}
	return out
}
