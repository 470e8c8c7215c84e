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
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/journal"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// exampleTriggers returns a configuration of n triggers of examples/actions that watch objects,
// and what they watch.
func exampleTriggers(b *testing.B, n int) (config string, watched []string) {
	b.Helper()
	text, err := os.ReadFile("../../examples/actions/config.yaml")
	if err != nil {
		b.Fatal(err)
	}
	var all struct {
		Triggers []map[string]any `json:"triggers"`
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		b.Fatal(err)
	}
	all.Triggers = slices.DeleteFunc(all.Triggers, func(t map[string]any) bool {
		source, _ := t["source"].(map[string]any)
		properties, _ := source["properties"].(map[string]any)
		if source["type"] != resource.Type {
			return true
		}
		if kind := fmt.Sprintf("%v/%v", properties["apiVersion"], properties["kind"]); !slices.Contains(watched, kind) {
			watched = append(watched, kind)
		}
		return false
	})
	if len(all.Triggers) < n {
		b.Fatalf("examples/actions has %d triggers that watch objects, want %d", len(all.Triggers), n)
	}
	all.Triggers = all.Triggers[:n]
	out, err := yaml.Marshal(all)
	if err != nil {
		b.Fatal(err)
	}
	return string(out), watched
}

// writeChanges writes a journal of n updates of objects of 4 KiB, one each of these kinds in turn.
func writeChanges(b *testing.B, n int, watched []string) (dir string) {
	b.Helper()
	dir = filepath.Join(b.TempDir(), "journal")
	w, err := journal.Create(dir, 64<<30)
	if err != nil {
		b.Fatal(err)
	}
	spec := []byte("{")
	for i := 0; len(spec) < 4000; i++ {
		spec = fmt.Appendf(spec, `"field%d":{"name":"value-%d","count":%d,"text":"some words of a field"},`, i, i*7919, i)
	}
	spec[len(spec)-1] = '}'
	start := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for i := range n {
		kind := watched[i%len(watched)]
		slash := strings.LastIndex(kind, "/")
		name := fmt.Sprint("object-", i%1000)
		fields := []journal.Field{
			{Name: "apiVersion", JSON: fmt.Appendf(nil, "%q", kind[:slash])},
			{Name: "kind", JSON: fmt.Appendf(nil, "%q", kind[slash+1:])},
			{Name: "metadata", JSON: fmt.Appendf(nil, `{"name":%q,"namespace":"default","uid":%q,"resourceVersion":"%d","labels":{"app":"web","pace":"fast"}}`, name, name, i)},
			{Name: "data", JSON: fmt.Appendf(nil, `{"v":"%d"}`, i)},
			{Name: "status", JSON: []byte(`{"succeeded":1}`)},
			{Name: "spec", JSON: spec},
		}
		err := w.Append(journal.Record{
			Stream: journal.Stream{Source: resource.Type, Key: resource.Type + ":" + kind}, Time: start.Add(time.Duration(i) * 600 * time.Millisecond),
			Type: "update", ID: fmt.Sprintf("%s@%d", name, i), Key: "default/" + name, Data: fields,
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkSimulate simulates changes of objects of 4 KiB. s/million is the time of 1,000,000 of
// them with twenty triggers.
func BenchmarkSimulate(b *testing.B) {
	examples, watched := exampleTriggers(b, 20)
	for name, load := range map[string]struct {
		config  string
		watched []string
	}{
		"examples": {examples, watched},
		"one kind": {simulated("default"), []string{"v1/ConfigMap"}},
	} {
		b.Run(name, func(b *testing.B) {
			const changes = 100_000
			o := SimulateOptions{Config: writeConfig(b, load.config), Journal: writeChanges(b, changes, load.watched)}
			for b.Loop() {
				report, err := Simulate(b.Context(), o)
				if err == nil && (report.Records != changes || report.Triggers[1].Events == 0) {
					err = fmt.Errorf("%d records, %+v", report.Records, report.Triggers)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*1e6/changes, "s/million")
		})
	}
}
