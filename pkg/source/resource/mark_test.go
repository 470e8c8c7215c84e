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

func TestWatermark_StaysBelowPending(t *testing.T) {
	var m watermark
	want := func(low string, undone int) {
		t.Helper()
		if l, u := m.Committed(); l != low || u != undone {
			t.Fatalf("got %q and %d undone, want %q and %d", l, u, low, undone)
		}
	}
	want("", 0)
	m.Advance("10")
	want("10", 0)
	done11, _ := m.Begin("11")
	done12, _ := m.Begin("12")
	m.Advance("13")
	want("10", 2)
	done12()
	want("10", 1)
	done14, _ := m.Begin("14")
	done11()
	want("13", 1)
	done14()
	want("14", 0)
	m.Advance("14")
	want("14", 0)
}

func TestWatermark_StaysBelowPendingList(t *testing.T) {
	var m watermark
	m.Advance("10")
	one, _ := m.Begin("")
	other, _ := m.Begin("")
	m.Advance("20")
	one()
	if low, _ := m.Committed(); low != "10" {
		t.Errorf("with one of two done: got %s", low)
	}
	other()
	if low, _ := m.Committed(); low != "20" {
		t.Errorf("with both done: got %s", low)
	}
}

func TestWatermark_IgnoresCancelled(t *testing.T) {
	var m watermark
	m.Advance("10")
	_, cancel := m.Begin("11")
	cancel()
	if low, undone := m.Committed(); low != "10" || undone != 0 {
		t.Errorf("got %q and %d undone", low, undone)
	}
}

// One event that stays undone must not make the mark remember all that follow.
func TestWatermark_ForgetsDone(t *testing.T) {
	var m watermark
	stuck, _ := m.Begin("1")
	for i := range 1000 {
		done, _ := m.Begin(strconv.Itoa(i + 2))
		done()
	}
	if m.positions.Len() > 2 {
		t.Errorf("%d places for one event", m.positions.Len())
	}
	stuck()
	if low, _ := m.Committed(); low != "1001" {
		t.Errorf("got %s", low)
	}
}

func TestWatermark_AnyOrder(t *testing.T) {
	var m watermark
	var events []func()
	for i := range 1000 {
		done, _ := m.Begin(strconv.Itoa(i + 1))
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
	if low, undone := m.Committed(); low != "1000" || undone != 0 || m.positions.Len() != 0 {
		t.Errorf("got %q, %d undone, %d places", low, undone, m.positions.Len())
	}
}
