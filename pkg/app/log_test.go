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

package app

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// TestNewLogger_Terminal logs text of strangers: the log has no control or formatting
// characters that a terminal would interpret (kubernetes/kubernetes#101695).
func TestNewLogger_Terminal(t *testing.T) {
	const hostile = "a\x1b[31m\u009b31m\x7f\u202eb\r\n"
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log, err := NewLogger(&b, "info", format)
		if err != nil {
			t.Fatal(err)
		}
		log.Info(hostile, "value", hostile)
		line := strings.TrimSuffix(b.String(), "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%s: %q", format, line)
		}
		if format == "text" {
			continue
		}
		var got struct{ Msg, Value string }
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Msg != hostile || got.Value != hostile {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}
