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

package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/journal"
	"github.com/kubevela/kube-trigger/pkg/source"
)

var start = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)

// record returns the n-th record of a test, with about size bytes that do not compress.
func record(n, size int) journal.Record {
	noise := make([]byte, size)
	state := uint64(n)*2654435761 + 1
	for i := range noise {
		state = state*6364136223846793005 + 1442695040888963407
		noise[i] = 'a' + byte(state>>33%26)
	}
	return journal.Record{
		Stream: journal.Stream{Source: "resource-watcher", Key: fmt.Sprintf("kind %d", n%3)},
		Time:   start.Add(time.Duration(n) * time.Second),
		Type:   "update", ID: fmt.Sprint("id-", n), Cluster: "c", Key: fmt.Sprint("default/o", n), Writer: "kubectl",
		Unchanged: []string{"spec"}, Data: []journal.Field{{Name: "text", JSON: fmt.Appendf(nil, "%q", noise)}}, Old: []byte(`{"n":1}`),
	}
}

// write writes n records, and returns the directory.
func write(t testing.TB, n, size int, maxSize int64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "journal")
	w, err := journal.Create(dir, maxSize)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.Append(record(i, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// read reads a journal.
func read(path string) (j *journal.Journal, all []journal.Record, err error) {
	if j, err = journal.Open(path); err != nil {
		return nil, nil, err
	}
	defer j.Close()
	return j, all, j.Blocks(func(b journal.Block) error {
		records, err := b.Records()
		all = append(all, records...)
		return err
	})
}

func TestJournal_RoundTrip(t *testing.T) {
	dir := write(t, 500, 1000, journal.DefaultMaxSize)
	w, err := journal.Create(dir, journal.DefaultMaxSize) // it is continued
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Append(record(500, 1)), w.Close()); err != nil {
		t.Fatal(err)
	}
	j, all, err := read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if j.Records != 501 || len(all) != 501 || len(j.Streams) != 4 || !j.From.Equal(start) || !j.To.Equal(start.Add(500*time.Second)) || j.Cut != nil {
		t.Fatalf("%+v with %d records", j, len(all))
	}
	for i, got := range all {
		size, session := 1000, 1
		if i == 500 {
			size, session = 1, 2
		}
		want := record(i, size)
		want.Stream.Session = session
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("record %d is %+v, want %+v", i, got, want)
		}
	}
}

func TestJournal_Bounded(t *testing.T) {
	dir := write(t, 2000, 4000, journal.MinMaxSize)
	var total int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %s", e.Name(), info.Mode())
		}
		total += info.Size()
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %s: %v", info.Mode(), err)
	}
	if total > journal.MinMaxSize || total < journal.MinMaxSize/2 {
		t.Errorf("the journal has %d bytes", total)
	}
	_, all, err := read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if last := all[len(all)-1].ID; last != "id-1999" || all[0].ID == "id-0" {
		t.Errorf("records from %s to %s: the oldest must be gone", all[0].ID, last)
	}
}

// A segment whose end was not written is read up to its last whole frame.
func TestJournal_Cut(t *testing.T) {
	dir := write(t, 300, 2000, journal.DefaultMaxSize)
	path := filepath.Join(dir, "000000000001.ktj")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for size := range whole {
		if size%977 != 0 && size > 200 {
			continue
		}
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		_, all, err := read(dir)
		if err != nil {
			t.Fatalf("cut after %d bytes: %v", size, err)
		}
		if len(all) < last {
			t.Fatalf("cut after %d bytes: %d records, fewer than in less", size, len(all))
		}
		last = len(all)
	}
	if last < 100 {
		t.Errorf("only %d records remain", last)
	}
}

func TestJournal_Damaged(t *testing.T) {
	dir := write(t, 500, 2000, journal.DefaultMaxSize)
	path := filepath.Join(dir, "000000000001.ktj")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int{0, 30, 400, 20_000} {
		damaged := bytes.Clone(whole)
		damaged[offset] ^= 0xff
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := read(dir)
		var where *journal.Error
		if !errors.As(err, &where) || where.Offset > int64(offset) || !strings.Contains(err.Error(), path+": byte ") {
			t.Errorf("byte %d damaged: %v", offset, err)
		}
	}
}

// sourceOf is a subscription whose source delivers some events.
type sourceOf struct {
	source.Subscription
	events []event.Event
}

func (s sourceOf) Key() string                              { return "key" }
func (s sourceOf) Open([]source.Subscription) source.Source { return s }

func (s sourceOf) Run(ctx context.Context, sink source.Sink) error {
	for _, ev := range s.events {
		if err := sink.Deliver(ctx, ev, source.Delivery{Done: func() {}, Writer: "kubectl"}); err != nil {
			return err
		}
	}
	return nil
}

// discard is a sink.
type discard struct{}

func (discard) Deliver(context.Context, event.Event, source.Delivery) error { return nil }

func TestRecorder_LeavesOutSecrets(t *testing.T) {
	const value = "c2VjcmV0LXZhbHVl"
	secret := map[string]any{
		"apiVersion": "v1", "kind": "Secret", "data": map[string]any{"password": value}, "stringData": map[string]any{"password": value},
		"metadata": map[string]any{"name": "s", "annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": value}},
	}
	dir := t.TempDir()
	w, err := journal.Create(dir, journal.DefaultMaxSize)
	if err != nil {
		t.Fatal(err)
	}
	triggers := []engine.Trigger{{SourceType: "resource-watcher", Subscription: sourceOf{events: []event.Event{
		{Type: "update", ID: "1", Key: "default/s", Time: start, Data: secret, Old: map[string]any{"data": map[string]any{"password": value}}},
		{Type: "update", ID: "2", Key: "default/c", Time: start, Data: map[string]any{"kind": "ConfigMap", "n": int64(1) << 60}},
	}}}}
	r := &journal.Recorder{Writer: w}
	r.Record(triggers)
	s := triggers[0].Subscription
	if err := errors.Join(s.Open([]source.Subscription{s}).Run(context.Background(), discard{}), w.Close()); err != nil {
		t.Fatal(err)
	}
	_, all, err := read(dir)
	if err != nil || len(all) != 2 || r.Recorded() != 2 {
		t.Fatalf("%d records: %v", len(all), err)
	}
	if text := fmt.Sprintf("%s %s", all[0].Data, all[0].Old); strings.Contains(text, value) || !strings.Contains(text, `"Secret"`) {
		t.Errorf("recorded: %s", text)
	}
	o, err := all[1].Occurrence(expr.All())
	if err != nil || o.Event.Data["n"] != int64(1)<<60 || o.Delivery.Writer != "kubectl" {
		t.Errorf("%+v: %v", o, err)
	}
}

func FuzzOpen(f *testing.F) {
	dir := write(f, 5, 10, journal.DefaultMaxSize)
	whole, err := os.ReadFile(filepath.Join(dir, "000000000001.ktj"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "1.ktj")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, all, err := read(path)
		if err != nil && !strings.Contains(err.Error(), path+": byte ") {
			t.Errorf("the error has no place: %v", err)
		}
		for i := range all {
			_, _ = all[i].Occurrence(expr.All()) // must not panic
		}
	})
}
