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

package k8sevent

import (
	"testing"

	kjson "k8s.io/apimachinery/pkg/util/json"
)

// FuzzDerive derives from arbitrary saved states and Events. An unchanged Event must not
// be derived as a repetition.
func FuzzDerive(f *testing.F) {
	f.Add([]byte(nil), `{"series": {"count": 3}}`)
	f.Add([]byte("7"), `{"deprecatedCount": 8, "series": 1}`)
	f.Add([]byte("x"), `{"deprecatedCount": -1}`)
	f.Fuzz(func(t *testing.T, before []byte, text string) {
		var object map[string]any
		if kjson.Unmarshal([]byte(text), &object) != nil {
			t.Skip()
		}
		now := encodeCount(before, object)
		if data, isNews := derive(before, now, object); isNews && data["count"].(int64) <= decodeCount(before) {
			t.Errorf("count %v after %q", data["count"], before)
		}
		if n := decodeCount(now); n < 1 {
			t.Errorf("count %d", n)
		}
		if _, isNews := derive(now, encodeCount(now, object), object); isNews {
			t.Error("an unchanged Event is derived as a repetition")
		}
	})
}
