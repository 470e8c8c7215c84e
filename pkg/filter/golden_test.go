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

package filter_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
)

var update = flag.Bool("update", false, "update the golden files")

// Each file in testdata/golden holds events, NAME.json, and filters, NAME.cue. Each
// filter is followed by NAME.want: its verdicts on the events, or its diagnostics.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := golden(t, archive)
			if *update {
				if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// golden returns archive with the current verdicts and diagnostics.
func golden(t *testing.T, archive *txtar.Archive) *txtar.Archive {
	t.Helper()
	type named struct {
		name string
		event.Event
	}
	var events []named
	out := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		base, kind, _ := strings.Cut(f.Name, ".")
		switch kind {
		case "want":
			continue
		case "json":
			events = append(events, named{base, decode(t, f.Data)})
		}
		out.Files = append(out.Files, f)
		if kind != "cue" {
			continue
		}
		var want bytes.Buffer
		compiled, problems := filter.Compile(string(f.Data), event.Trigger{Name: "t", Namespace: "ns"})
		for _, p := range problems {
			fmt.Fprintln(&want, p)
		}
		for _, ev := range events {
			if compiled == nil {
				break
			}
			fmt.Fprintf(&want, "%s: %s\n", ev.name, verdict(compiled.Match(t.Context(), ev.Event)))
		}
		out.Files = append(out.Files, txtar.File{Name: base + ".want", Data: want.Bytes()})
	}
	return out
}

func verdict(v event.Verdict, err error) string {
	switch {
	case err != nil:
		return "error: " + err.Error()
	case v.Match:
		return "match" + v.Path + v.Reason
	}
	return fmt.Sprintf("no: %s (%s)", v.Reason, v.Path)
}

// decode decodes an event as the sources do: integers are int64.
func decode(t testing.TB, text []byte) event.Event {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var in struct {
		Source, Type string
		Data, Old    map[string]any
	}
	if err := d.Decode(&in); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	ev := event.Event{Source: in.Source, Type: in.Type, ID: "1", Time: time.Unix(0, 0)}
	ev.Data, _ = numbers(in.Data).(map[string]any)
	if in.Old != nil {
		ev.Old, _ = numbers(in.Old).(map[string]any)
	}
	return ev
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			panic(err)
		}
		return f
	case map[string]any:
		for name, value := range v {
			v[name] = numbers(value)
		}
	case []any:
		for i, value := range v {
			v[i] = numbers(value)
		}
	}
	return v
}
