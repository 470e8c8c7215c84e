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

func TestMarkIsBelowWhatIsNotDone(t *testing.T) {
	var m mark
	want := func(low string, undone int) {
		t.Helper()
		if l, u := m.Low(); l != low || u != undone {
			t.Fatalf("got %q and %d undone, want %q and %d", l, u, low, undone)
		}
	}
	want("", 0)
	m.Pass("10")
	want("10", 0)
	done11, _ := m.Begin("11")
	done12, _ := m.Begin("12")
	m.Pass("13")
	want("10", 2)
	done12()
	want("10", 1)
	done14, _ := m.Begin("14")
	done11()
	want("13", 1)
	done14()
	want("14", 0)
	m.Pass("14")
	want("14", 0)
}

func TestMarkStaysBelowAListUntilItIsDone(t *testing.T) {
	var m mark
	m.Pass("10")
	one, _ := m.Begin("")
	other, _ := m.Begin("")
	m.Pass("20")
	one()
	if low, _ := m.Low(); low != "10" {
		t.Errorf("with one of two done: got %s", low)
	}
	other()
	if low, _ := m.Low(); low != "20" {
		t.Errorf("with both done: got %s", low)
	}
}

func TestMarkIsNotRaisedToWhatWasNotDelivered(t *testing.T) {
	var m mark
	m.Pass("10")
	_, cancel := m.Begin("11")
	cancel()
	if low, undone := m.Low(); low != "10" || undone != 0 {
		t.Errorf("got %q and %d undone", low, undone)
	}
}

// One event that stays undone must not make the mark remember all that follow.
func TestMarkForgetsWhatIsDone(t *testing.T) {
	var m mark
	stuck, _ := m.Begin("1")
	for i := range 1000 {
		done, _ := m.Begin(strconv.Itoa(i + 2))
		done()
	}
	if m.open.Len() > 2 {
		t.Errorf("%d places for one event", m.open.Len())
	}
	stuck()
	if low, _ := m.Low(); low != "1001" {
		t.Errorf("got %s", low)
	}
}

func TestMarkWithEventsDoneInAnyOrder(t *testing.T) {
	var m mark
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
	if low, undone := m.Low(); low != "1000" || undone != 0 || m.open.Len() != 0 {
		t.Errorf("got %q, %d undone, %d places", low, undone, m.open.Len())
	}
}
