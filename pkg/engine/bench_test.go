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

package engine_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// benchmark delivers b.N events of 100 keys.
func benchmark(b *testing.B, triggers ...triggerSpec) {
	h := startUnobserved(b, engine.Options{}, triggers...)
	events := make([]event.Event, 100)
	for i := range events {
		events[i] = event.Event{Source: "bench", Type: event.Update, Key: strconv.Itoa(i), ID: strconv.Itoa(i), Time: time.Now()}
	}
	var left sync.WaitGroup
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		left.Add(1)
		if err := h.sink.Deliver(b.Context(), events[i%len(events)], source.Delivery{Done: left.Done}); err != nil {
			b.Fatal(err)
		}
	}
	left.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	h.stop()
}

func verdict(match bool) filterFunc {
	return func(context.Context, event.Event) (event.Verdict, error) { return event.Verdict{Match: match}, nil }
}

func BenchmarkEngine_NotSubscribed(b *testing.B) {
	benchmark(b, triggerSpec{Subscription: only("nothing"), Action: actionFunc(ok)})
}

func BenchmarkEngine_Filtered(b *testing.B) {
	benchmark(b, triggerSpec{Filter: verdict(false), Action: actionFunc(ok)})
}

func BenchmarkEngine_Succeeded(b *testing.B) {
	benchmark(b, triggerSpec{Filter: verdict(true), Action: actionFunc(ok)})
}

func BenchmarkEngine_FourTriggers(b *testing.B) {
	tenth := filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
		return event.Verdict{Match: ev.Key[len(ev.Key)-1] == '0'}, nil
	})
	t := triggerSpec{Filter: tenth, Action: actionFunc(ok)}
	benchmark(b, t, t, t, t)
}
