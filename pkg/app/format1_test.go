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
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
	"github.com/kubevela/kube-trigger/test/cluster"
)

type eventSink chan event.Event

func (s eventSink) Deliver(_ context.Context, ev event.Event, d source.Delivery) error {
	s <- ev
	d.Done()
	return nil
}

type fixedView string

func (v fixedView) Evaluate(context.Context) (any, error) {
	return map[string]any{"text": string(v)}, nil
}

// TestStore_Format1 runs sources with a store that c55143b has written. They continue
// where the sources of c55143b have stopped.
func TestStore_Format1(t *testing.T) {
	f, err := os.Open("../store/testdata/store.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "store.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := file.Open(t.Context(), path, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	saver := store.NewBatchSaver(s, store.BatchSaverOptions{
		MaxDelay: time.Millisecond, BatchSize: 1, GracePeriod: time.Minute, Clock: clock.RealClock{}, OnError: func(err error) { t.Error(err) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 10)
	running := 1
	go func() { ended <- saver.Run(ctx) }()
	run := func(f source.Factory, properties map[string]any, spec source.Spec) eventSink {
		sub, diags := f.Compile(properties, spec)
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		sink := make(eventSink, 10)
		src := sub.Open([]source.Subscription{sub})
		running++
		go func() { ended <- src.Run(ctx, sink) }()
		return sink
	}
	trigger := func(name string) source.Spec {
		return source.Spec{TriggerRef: event.TriggerRef{Name: name, Namespace: "team"}}
	}
	checkpoints, now := s.Checkpoints(), testclock.NewFakeClock(time.Date(2026, 3, 1, 12, 16, 0, 0, time.UTC))

	ticks := run(cron.New(cron.Options{Clock: now, Checkpoints: checkpoints, Saver: saver}),
		map[string]any{"schedule": "*/5 * * * *", "timeZone": "Europe/Berlin"}, trigger("tick"))
	for _, want := range []string{"2026-03-01T12:10:00Z", "2026-03-01T12:15:00Z"} {
		if ev := cluster.Receive(t, "a tick", ticks); ev.Data["timeFired"] != want {
			t.Errorf("tick %v, want %s", ev.Data, want)
		}
	}

	pods := trigger("pods")
	pods.Old = expr.All()
	results := run(velaql.New(velaql.Options{Clock: now, Checkpoints: checkpoints, Saver: saver, CompileView: func(event.TriggerRef, query.Query) (velaql.View, diag.List) {
		return fixedView("changed"), nil
	}}), map[string]any{"view": "component-pod-view"}, pods)
	if ev := cluster.Receive(t, "a result", results); ev.Type != event.Update || len(fmt.Sprint(ev.Old)) < 3200 {
		t.Errorf("event %s with old data %v", ev.Type, ev.Old)
	}

	server := webhook.NewServer("127.0.0.1:0")
	requests := run(webhook.New(webhook.Options{Server: server, Clock: now, Queue: s.Queue(), Checkpoints: checkpoints, Saver: saver}),
		map[string]any{"auth": "none", "path": "/hook"}, trigger("hook"))
	for _, want := range []int64{1, 2} {
		if ev := cluster.Receive(t, "a request", requests); ev.Data["body"].(map[string]any)["n"] != want {
			t.Errorf("request %v, want %d", ev.Data, want)
		}
	}
	cancel()
	for range running {
		if err := cluster.Receive(t, "the end of a source", ended); err != nil {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
