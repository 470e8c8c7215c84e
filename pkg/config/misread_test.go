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

package config

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// A text that YAML takes for something else is refused, at its place, and not left out: a
// filter without a text would match every event.
func TestLoad_Misread(t *testing.T) {
	for text, want := range map[string]string{
		// data-cleaning/validate#56, github/docs#27497, BetonQuest/BetonQuest#209
		"  filter: !context.data.spec.paused":                           "3:11: YAML: a text that begins with ! needs quotes, or | and lines of its own",
		"  filter: !context.data.spec.paused && context.data.a == 1":    "a text that begins with ! needs quotes",
		"  filter: ! context.data.spec.paused":                          "3:11: YAML: a text that begins with ! needs quotes",
		"  filter: &f !context.data.spec.paused":                        "3:11: YAML: a text that begins with ! needs quotes",
		"  action: {type: t, properties: {é: ü, x: !startsWith(a)}}":    "a text that begins with ! needs quotes",
		"  filter: '!context.data.paused'":                              "",
		"  filter: !!str yes":                                           "",
		"  filter: |\n   !context.data.paused":                          "",
		"  action: {type: t, properties: {<<: {a: 1}, x: '{{.data}}'}}": "",
		// argoproj/argo-workflows#940
		"  action: {type: t, properties: {name: {{.data.metadata.name}}}}": "3:40: YAML: a text that begins with {{ needs quotes",
		"  name: {{.data.metadata.name}}":                                  "3:9: YAML: a text that begins with {{ needs quotes",
		"  name: {{.data.metadata.name}} was changed":                      "line 3: a text that begins with {{ needs quotes",
		"  ? [a, b]\n  : x":                                                "3:5: YAML: a key is a text, and not a list",
		// dshearer/jobber#20, sensu/sensu-docs#2255, rilldata/rill#3680
		"  schedule: * * * * *":                               "line 3: a text that begins with * needs quotes",
		"  schedule: */5 * * * *":                             "line 3: a text that begins with * needs quotes",
		"  source: {type: cronjob, schedule: */5 * * * *}":    "line 3: a text that begins with * needs quotes",
		"  filter: *context.data.n | 0 == 0":                  "line 3: a text that begins with * needs quotes",
		"  schedule: @daily":                                  "line 3: a text that begins with @ needs quotes",
		"  filter: \"web\" == context.data.name":              `line 3: a text that begins with " needs quotes`,
		"  filter: [for c in context.data.l {c}][0].n == 1":   "line 3: a text that begins with [ needs quotes",
		"  filter: context.data.m == \"a: b\"":                `line 3: a text that contains ": " needs quotes`,
		"  name: x\n\tfilter: context.data.a == 1":            "line 4: indent with blanks, not with tabs",
		"  filter: |\n    x: \"a\" == @b\n  schedule: @daily": "line 5: a text that begins with @ needs quotes",
	} {
		_, problems := loadText(t, "c.yaml", "triggers:\n- source: {type: s}\n"+text+"\n")
		got := strings.Join(problems, "\n")
		if want == "" && strings.Contains(got, "YAML") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// A file means the same in each encoding that editors save it in: helm/helm#6081 (a byte
// order mark), kubernetes/kubernetes#39007, fluxcd/flux2#1126 (UTF-16 of PowerShell).
func TestLoad_Encodings(t *testing.T) {
	const (
		yaml = "triggers:\r\n- name: ä\r\n  source: {type: s, properties: {v: 9007199254740993}}\r\n  filter: |\r\n    context.data.a == 1 &&\r\n      context.data.b == 2\r\n  action: {type: t}\r\n---\r\ntriggers:\r\n- {name: b, source: {type: s}, action: {type: t}}\r\n"
		json = `{"triggers": [{"name": "ä", "source": {"type": "s", "properties": {"v": 12345678901234567890123}}, "action": {"type": "t"}}]}`
		cue  = "// ä\r\ntriggers: [{name: \"ä\", source: type: \"s\", action: type: \"t\"}]\r\n"
	)
	for name, text := range map[string]string{"c.yaml": yaml, "c.json": json, "c.cue": cue} {
		want, problems := loadText(t, name, strings.ReplaceAll(text, "\r\n", "\n"))
		if len(want) == 0 || len(problems) > 1 {
			t.Fatalf("%s: %v", name, problems)
		}
		for encoding, encoded := range map[string]string{
			"UTF-8": text, "UTF-8 with a byte order mark": "\ufeff" + text,
			"UTF-16LE": utf16Text(text, binary.LittleEndian), "UTF-16BE": utf16Text(text, binary.BigEndian),
		} {
			got, gotProblems := loadText(t, name, encoded)
			if diff := cmp.Diff(problems, gotProblems); diff != "" {
				t.Errorf("%s in %s: %s", name, encoding, diff)
			}
			if len(got) != len(want) {
				t.Errorf("%s in %s: got %d documents, want %d", name, encoding, len(got), len(want))
				continue
			}
			for i := range got {
				if diff := cmp.Diff(want[i].Spec, got[i].Spec); diff != "" {
					t.Errorf("%s in %s: %s", name, encoding, diff)
				}
			}
		}
	}
}

func utf16Text(text string, order binary.AppendByteOrder) string {
	var out []byte
	for _, unit := range append([]uint16{0xFEFF}, utf16.Encode([]rune(text))...) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// What is not UTF-8 is refused at its place: a Latin-1 umlaut, UTF-16 without a mark.
func TestLoad_NotUTF8(t *testing.T) {
	for text, want := range map[string]string{
		"triggers:\n- name: ä\xe4\n": "2:11: not UTF-8; save the file in this encoding",
		"t\x00r\x00":                 "1:2: not UTF-8; save the file in this encoding",
	} {
		if _, problems := loadText(t, "c.yaml", text); strings.Join(problems, "\n") != want {
			t.Errorf("%q: got %q, want %q", text, problems, want)
		}
	}
}

// No document is left out: one behind `---` on the same line, or behind the end of another
// one, is refused.
func TestLoad_HiddenDocument(t *testing.T) {
	const a, b = "triggers: [{name: a, source: {type: s}, action: {type: t}}]\n", "{triggers: [{name: b, source: {type: s}, action: {type: t}}]}\n"
	for text, want := range map[string]string{
		a + "--- " + b:                "2:5: YAML: another document begins here; write --- on a line of its own before it",
		a + "...\n" + "--- " + b:      "3:5: YAML: another document begins here",
		a + "--- # b\n" + b + "...\n": "",
		a + "...\n---\n" + b:          "",
		"---\n" + a + "--- !x\n" + b:  "another document begins here",
	} {
		services, problems := loadText(t, "c.yaml", text)
		if got := strings.Join(problems, "\n"); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
		if want == "" && len(services) != 2 {
			t.Errorf("%s: got %d documents, want 2", text, len(services))
		}
	}
}
