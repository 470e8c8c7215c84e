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

package provider

import (
	"bytes"
	"net/mail"
	"testing"
)

// FuzzMessage writes emails with arbitrary text, which cannot add headers.
func FuzzMessage(f *testing.F) {
	f.Add("a@example.com", "name", "subject", "body")
	f.Add("a@example.com", "x\r\nBcc: b@example.com", "s\r\n\r\n.\r\n", "\r\n.\r\nQUIT\r\n")
	f.Fuzz(func(t *testing.T, address, alias, subject, body string) {
		m, err := newMessage(map[string]any{
			"from":    map[string]any{"address": address, "alias": alias},
			"to":      []any{address},
			"content": map[string]any{"subject": subject, "body": body, "type": "text/plain"},
		})
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := m.write(&b, newClock().Now()); err != nil {
			t.Fatal(err)
		}
		read, err := mail.ReadMessage(&b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if len(read.Header) != 9 {
			t.Errorf("%d headers: %v", len(read.Header), read.Header)
		}
		if _, err := read.Header.AddressList("From"); err != nil {
			t.Errorf("from %q: %v", read.Header.Get("From"), err)
		}
	})
}
