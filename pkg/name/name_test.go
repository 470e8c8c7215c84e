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

package name_test

import (
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/name"
)

func TestShorten(t *testing.T) {
	long := strings.Repeat("a", 60)
	for in, want := range map[string]string{
		"":                      "",
		"short":                 "short",
		strings.Repeat("b", 50): strings.Repeat("b", 50),
		long:                    strings.Repeat("a", 41) + "x" + name.Hash(long, 8),
	} {
		if got := name.Shorten(in, 50, "x"+name.Hash(in, 8)); got != want {
			t.Errorf("Shorten(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAppend(t *testing.T) {
	for in, want := range map[string]string{"": "-end", "ab": "ab-end", "abcdefgh": "abcdef-end"} {
		if got := name.Append(in, 10, "-end"); got != want {
			t.Errorf("Append(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestHash has the hash of names that exist in clusters.
func TestHash(t *testing.T) {
	if got := name.Hash("kube-trigger", 16); got != "690e635314671a1f" {
		t.Errorf("got %q", got)
	}
}
