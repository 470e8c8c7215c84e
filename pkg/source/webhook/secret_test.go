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

package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestSecret_NotPrinted formats secrets with every verb, also in other values.
func TestSecret_NotPrinted(t *testing.T) {
	s := newSecret([]byte("hidden"))
	for _, v := range []any{s, &s, struct{ S secret }{s}, []secret{s}, map[string]secret{"a": s}, secretEntry{secret: s}} {
		text := ""
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text += fmt.Sprintf(verb, v) + "\n"
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text += string(encoded)
		for _, hidden := range []string{"hidden", "68696464656e", "104 105", "0x68", "aGlkZGVu"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%T: %s", v, text)
			}
		}
	}
}
