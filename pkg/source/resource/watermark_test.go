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

package resource

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
)

func TestWatermark_Pending(t *testing.T) {
	var w watermark
	want := func(committed string, pending int) {
		t.Helper()
		if l, u := w.Committed(); l != committed || u != pending {
			t.Fatalf("got %q and %d pending, want %q and %d", l, u, committed, pending)
		}
	}
	want("", 0)
	w.Advance("10")
	want("10", 0)
	done11, _ := w.Begin("11")
	done12, _ := w.Begin("12")
	w.Advance("13")
	want("10", 2)
	done12()
	want("10", 1)
	done14, _ := w.Begin("14")
	done11()
	want("13", 1)
	done14()
	want("14", 0)
	w.Advance("14")
	want("14", 0)
}

func TestWatermark_PendingFromList(t *testing.T) {
	var w watermark
	w.Advance("10")
	one, _ := w.Begin("")
	other, _ := w.Begin("")
	w.Advance("20")
	one()
	if committed, _ := w.Committed(); committed != "10" {
		t.Errorf("with one of two done: got %s", committed)
	}
	other()
	if committed, _ := w.Committed(); committed != "20" {
		t.Errorf("with both done: got %s", committed)
	}
}

func TestWatermark_Cancel(t *testing.T) {
	var w watermark
	w.Advance("10")
	_, cancel := w.Begin("11")
	cancel()
	if committed, pending := w.Committed(); committed != "10" || pending != 0 {
		t.Errorf("got %q and %d pending", committed, pending)
	}
}

// A pending event must not retain the positions of all later events that are done.
func TestWatermark_MergesDone(t *testing.T) {
	var w watermark
	stuck, _ := w.Begin("1")
	for i := range 1000 {
		done, _ := w.Begin(strconv.Itoa(i + 2))
		done()
	}
	if w.positions.Len() > 2 {
		t.Errorf("%d positions for one event", w.positions.Len())
	}
	stuck()
	if committed, _ := w.Committed(); committed != "1001" {
		t.Errorf("got %s", committed)
	}
}

func TestWatermark_AnyOrder(t *testing.T) {
	var w watermark
	var events []func()
	for i := range 1000 {
		done, _ := w.Begin(strconv.Itoa(i + 1))
		events = append(events, done)
	}
	rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := part; i < len(events); i += 4 {
				events[i]()
			}
		})
	}
	wg.Wait()
	if committed, pending := w.Committed(); committed != "1000" || pending != 0 || w.positions.Len() != 0 {
		t.Errorf("got %q, %d pending, %d positions", committed, pending, w.positions.Len())
	}
}
