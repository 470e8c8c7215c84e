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

package loopguard_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/loopguard"
)

func FuzzWithPrecondition(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `{"metadata":null}`, `{"metadata":{"labels":{"a":"b"}}}`, `{"data":{"n":9007199254740993}}`, `[`, `{"metadata":3}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		out, own, err := loopguard.WithPrecondition(types.MergePatchType, []byte(data), "7")
		if err != nil || own != "" {
			return
		}
		var before, after map[string]any
		if decode(out, &after) != nil || decode([]byte(data), &before) != nil {
			t.Fatalf("%q became %q", data, out)
		}
		metadata, _ := after["metadata"].(map[string]any)
		if metadata["resourceVersion"] != "7" {
			t.Errorf("%q became %q", data, out)
		}
	})
}

// decode is json.Unmarshal with numbers of any size.
func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}
