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
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/journal"
)

// records returns the number of events of objects called settings in a journal, by type.
func records(t *testing.T, dir string) map[string]int {
	t.Helper()
	found := map[string]int{}
	j, err := journal.Open(dir)
	if err != nil {
		return found // nothing was written yet
	}
	defer j.Close()
	err = j.Blocks(func(b journal.Block) error {
		all, err := b.Records()
		for _, r := range all {
			if o, err := r.Occurrence(expr.FieldSet{}); err != nil {
				return err
			} else if filepath.Base(o.Event.Key) == "settings" {
				found[o.Event.Type]++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// recordEdits records while the ConfigMap settings is edited three times, and returns the journal.
func (e env) recordEdits(t *testing.T, o RecordOptions) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "week")
	defaults := DefaultRecordOptions()
	o.Kubeconfig, o.Journal, o.JournalSize = writeKubeconfig(t, e.Config, e.namespace), dir, defaults.JournalSize
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type result struct {
		recorded int
		err      error
	}
	ended := make(chan result, 1)
	go func() {
		n, err := Record(ctx, o)
		ended <- result{n, err}
	}()
	n := 0
	eventually(t, "edit in the journal", func() bool { // the watch begins after the first ones
		n++
		e.setValue(t, "settings", fmt.Sprint("before ", n))
		return records(t, dir)["update"] > 0
	})
	for i := 1; i <= 3; i++ {
		e.setValue(t, "settings", fmt.Sprint(i))
	}
	before := records(t, dir)["update"]
	e.setValue(t, "settings", "last")
	eventually(t, "last edit in the journal", func() bool { return records(t, dir)["update"] > before })
	cancel()
	if r := <-ended; r.err != nil || r.recorded < 3 {
		t.Fatalf("got %d events, %v, want at least 3", r.recorded, r.err)
	}
	return dir
}

// TestRecord records edits on the API server, and simulates two versions of a trigger with them.
func TestRecord(t *testing.T) {
	trigger := func(namespace, filter string) string {
		return fmt.Sprintf(`
triggers:
  - name: edits
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    filter: %q
    action: {type: log, properties: {message: edited}}
`, namespace, filter)
	}
	for name, options := range map[string]func(config, metadataOnly string) RecordOptions{
		"kinds":                           func(string, string) RecordOptions { return RecordOptions{Kinds: []string{"v1/ConfigMap"}} },
		"config":                          func(config, _ string) RecordOptions { return RecordOptions{Config: config} },
		"config that needs metadata only": func(_, metadataOnly string) RecordOptions { return RecordOptions{Config: metadataOnly} },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.createConfigMap(t, "settings")
			e.setValue(t, "settings", "0")
			second := writeConfig(t, trigger(e.namespace, `context.data.data.v == "2"`))
			byName := writeConfig(t, trigger(e.namespace, `context.data.metadata.name == "settings"`))
			dir := e.recordEdits(t, options(second, byName))
			report, err := Simulate(t.Context(), SimulateOptions{
				Config: second, Compare: byName, Journal: dir,
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Triggers) != 1 || report.Triggers[0].Matched != 1 || report.Triggers[0].Actions != 1 || report.Triggers[0].Filtered < 2 {
				t.Errorf("got %+v, want one match, and the other edits filtered", report.Triggers)
			}
			if c := report.Comparison; c == nil || c.Different != 1 || c.Differences[0].Before != 1 || c.Differences[0].After < 3 {
				t.Errorf("got comparison %+v, want settings with more actions", report.Comparison)
			}
		})
	}
}
