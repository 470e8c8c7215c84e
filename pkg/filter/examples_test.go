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

package filter

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/test/markdown"
)

// TestExamples evaluates each filter in the tables "you want to act when" of docs/filters.md, in both ways, on
// the events that testdata/examples.txtar has for its row: at least one that matches, and one that
// does not.
func TestExamples(t *testing.T) {
	rows := markdown.Tables(t, "../../docs/filters.md")["you want to act when | events of | filter"]
	if len(rows) < 25 {
		t.Fatalf("got %d examples, want at least 25", len(rows))
	}
	events := exampleEvents(t, rows)
	for _, row := range rows {
		want, text := row[0], row[2]
		matches := map[bool]int{}
		for _, ev := range events[want] {
			matches[ev.match]++
			for _, way := range []string{"fast", "CUE"} {
				f, problems := Compile(text, event.Trigger{Name: "t"})
				if problems != nil {
					t.Fatalf("%s: %v", want, problems)
				}
				if way == "CUE" {
					useCUE(f)
				}
				v, err := f.Match(t.Context(), ev.Event)
				if err != nil || v.Match != ev.match || !strings.Contains(v.Reason, ev.Because) || (v.Reason == "") != (ev.Because == "") {
					t.Errorf("%s: %s: %s: got %+v, %v; want %v %q", want, way, text, v, err, ev.match, ev.Because)
				}
			}
		}
		if matches[true] == 0 || matches[false] == 0 {
			t.Errorf("%s: got %d events that match and %d that do not, want at least 1 of each", want, matches[true], matches[false])
		}
	}
}

// exampleEvent is an event for a row of the tables.
type exampleEvent struct {
	event.Event
	// match is whether the filter matches, and Because a part of the reason why it does not.
	match   bool
	Because string
}

// exampleEvents returns the events of testdata/examples.txtar by row. A file "ROW: match" or
// "ROW: no match" has an event in YAML. Objects need no apiVersion and kind.
func exampleEvents(t *testing.T, rows [][]string) map[string][]exampleEvent {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/examples.txtar")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]exampleEvent{}
	for _, file := range archive.Files {
		want, verdict, _ := strings.Cut(file.Name, ": ")
		i := slices.IndexFunc(rows, func(row []string) bool { return row[0] == want })
		if i < 0 || verdict != "match" && verdict != "no match" {
			t.Fatalf("testdata/examples.txtar: %q is not a row of docs/filters.md and a verdict", file.Name)
		}
		ev := exampleEvent{match: verdict == "match"}
		if err := yaml.UnmarshalStrict(file.Data, &ev); err != nil {
			t.Fatalf("testdata/examples.txtar: %s: %v", file.Name, err)
		}
		ev.Data, ev.Old = exact(t, ev.Data), exact(t, ev.Old)
		ev.Source = rows[i][1]
		if version, kind, ok := strings.Cut(rows[i][1], " "); ok {
			ev.Source, ev.Data["apiVersion"], ev.Data["kind"] = "resource-watcher", version, kind
		}
		if ev.Time.IsZero() {
			ev.Time = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
		}
		out[want] = append(out[want], ev)
	}
	return out
}

// exact returns data as sources decode it: whole numbers are int64.
func exact(t *testing.T, data map[string]any) map[string]any {
	t.Helper()
	if data == nil {
		return nil
	}
	text, err := yaml.Marshal(data)
	if err == nil {
		text, err = yaml.YAMLToJSON(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := number.UnmarshalObject(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
