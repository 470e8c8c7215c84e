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
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestOutput_ControlCharacters: what a sender put into an event does not control the
// terminal of whoever lists dead letters.
func TestOutput_ControlCharacters(t *testing.T) {
	const hostile = "\x1b]0;owned\a\u009b2J\u202eevil\r\n\tcell"
	d := deadLetter{ID: "1", Trigger: "n/t", Reason: hostile, Error: hostile, Event: deadLetterEvent{Type: hostile, Key: hostile, Data: map[string]any{"x": hostile}}}
	for _, format := range []string{outputTable, outputJSON, outputYAML} {
		var b bytes.Buffer
		if err := (output{to: &b, format: format, now: time.Now()}).deadLetter(d); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\a\r\u009b\u202e") {
			t.Errorf("%s: %q", format, b.String())
		}
		if lines := strings.Count(b.String(), "\n"); format == outputTable && lines != 2 {
			t.Errorf("the table has %d lines:\n%s", lines, b.String())
		}
	}
}
