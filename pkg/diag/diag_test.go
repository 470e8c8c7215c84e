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

package diag_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

func TestTruncate(t *testing.T) {
	for text, want := range map[string]string{
		"":            "",
		"0123456789":  "0123456789",
		"0123456789a": "0123456…",
		"0123456€89":  "0123456…",
		"012345€789":  "012345…",
		"01234€6789":  "01234…",
		"0123€56789":  "0123€…",
	} {
		got := diag.Truncate(text, 10)
		if got != want || len(got) > 10 || !utf8.ValidString(got) {
			t.Errorf("Truncate(%q) = %q, want %q", text, got, want)
		}
	}
	if got := diag.Truncate(strings.Repeat("x", 9), 2); got != "…" {
		t.Errorf("Truncate to less than the end = %q", got)
	}
}
