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

package compression_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"os"
	"reflect"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/compression"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// TestExpand reads what the API types of KubeVela 1.9.13 have written to testdata.
func TestExpand(t *testing.T) {
	web := map[string]any{"name": "web", "type": "webservice", "properties": map[string]any{"image": "nginx", "port": int64(1 << 62)}}
	none := map[string]any{"creationTimestamp": nil}
	for name, want := range map[string]map[string]any{
		"applicationrevision": {"application": map[string]any{"metadata": none, "spec": map[string]any{"components": []any{web}}, "status": map[string]any{}}},
		"resourcetracker": {"type": "versioned", "applicationGeneration": int64(0), "managedResources": []any{
			map[string]any{"kind": "Deployment", "name": "web", "raw": map[string]any{"replicas": int64(2)}},
		}},
	} {
		for _, algorithm := range []string{"gzip", "zstd"} {
			text, err := os.ReadFile("testdata/" + name + "-" + algorithm + ".json")
			if err != nil {
				t.Fatal(err)
			}
			object, err := number.UnmarshalObject(text)
			if err != nil {
				t.Fatal(err)
			}
			compression.Expand(object)
			if diff := cmp.Diff(want, object["spec"]); diff != "" {
				t.Errorf("%s, %s (-want +got)\n%s", name, algorithm, diff)
			}
		}
	}
}

// compressed returns an object with compressed content.
func compressed(t *testing.T, kind, algorithm string, content any) map[string]any {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if algorithm == "gzip" {
		w := gzip.NewWriter(&out)
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	} else {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(w.EncodeAll(text, nil))
	}
	return map[string]any{"apiVersion": "core.oam.dev/v1beta1", "kind": kind, "spec": map[string]any{
		"compression": map[string]any{"type": algorithm, "data": base64.StdEncoding.EncodeToString(out.Bytes())},
	}}
}

// TestExpand_Unchanged leaves other objects as they are, and those that cannot be read.
func TestExpand_Unchanged(t *testing.T) {
	fields := map[string]any{"application": map[string]any{}}
	revision := func(path string, value any) map[string]any {
		object := compressed(t, "ApplicationRevision", "zstd", fields)
		object["spec"].(map[string]any)["compression"].(map[string]any)[path] = value
		return object
	}
	other := revision("type", "zstd")
	other["apiVersion"] = "example.com/v1"
	for name, object := range map[string]map[string]any{
		"another group":   other,
		"another kind":    compressed(t, "Application", "zstd", fields),
		"another content": compressed(t, "ResourceTracker", "zstd", fields),
		"a list":          compressed(t, "ApplicationRevision", "zstd", []any{}),
		"the algorithm":   revision("type", "lz4"),
		"no base64":       revision("data", "()"),
		"cut":             revision("data", "KLUv/QQA"),
		"no data":         revision("data", nil),
		"no compression":  {"apiVersion": "core.oam.dev/v1beta1", "kind": "ApplicationRevision", "spec": fields},
		"no spec":         {"apiVersion": "core.oam.dev/v1beta1", "kind": "ApplicationRevision"},
	} {
		t.Run(name, func(t *testing.T) {
			before := k8sruntime.DeepCopyJSON(object)
			compression.Expand(object)
			if !reflect.DeepEqual(before, object) {
				t.Errorf("got %v, want %v", object, before)
			}
		})
	}
}

// TestExpand_Bound leaves an object compressed that is larger than MaxObject, and does not
// read it as a whole.
func TestExpand_Bound(t *testing.T) {
	content := map[string]any{"a": string(bytes.Repeat([]byte("a"), 12*compression.MaxObject))}
	for _, algorithm := range []string{"gzip", "zstd"} {
		t.Run(algorithm, func(t *testing.T) {
			object := compressed(t, "ApplicationRevision", algorithm, content)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			compression.Expand(object)
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 8*compression.MaxObject {
				t.Errorf("allocated %d MiB", got>>20)
			}
			spec, _ := object["spec"].(map[string]any)
			if spec["compression"] == nil || spec["a"] != nil {
				t.Error("decompressed")
			}
		})
	}
}
