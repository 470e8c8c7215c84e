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

package printable_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/kubevela/kube-trigger/pkg/printable"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"plain, ü 漢 \n\t":           "plain, ü 漢 \n\t",
		"\x1b]0;title\a\x1b[2J":     `\u001b]0;title\u0007\u001b[2J`,
		"a\rb\x00\x7f":              `a\u000db\u0000\u007f`,
		"\u009b2J":                  `\u009b2J`,
		"invalid \x9b \xff\xfe":     `invalid \x9b \xff\xfe`,
		"gnp.\u202etxt\u2066\u200f": `gnp.\u202etxt\u2066\u200f`,
		"\ufffd":                    "\ufffd",
	} {
		if got := printable.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
	if got := printable.Line("a\tb\nc"); got != `a\u0009b\u000ac` {
		t.Errorf("Line: %q", got)
	}
}

func TestWriter(t *testing.T) {
	var b strings.Builder
	n, err := fmt.Fprintf(printable.Writer(&b), "a %s\n", "\x1b[31m")
	if err != nil || n != len("a \x1b[31m\n") || b.String() != `a \u001b[31m`+"\n" {
		t.Errorf("wrote %d, %v: %q", n, err, b.String())
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b[0m\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := printable.Text(s)
		if !utf8.ValidString(got) {
			t.Errorf("Text(%q) = %q is not valid UTF-8", s, got)
		}
		for _, r := range got {
			if r != '\n' && r != '\t' && unicode.IsControl(r) {
				t.Errorf("Text(%q) = %q contains %U", s, got, r)
			}
		}
		if again := printable.Text(got); again != got {
			t.Errorf("Text is not idempotent: %q, then %q", got, again)
		}
	})
}
