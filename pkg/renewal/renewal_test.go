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

package renewal_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cuelang.org/go/cue/cuecontext"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/renewal"
)

func TestTable(t *testing.T) {
	var table renewal.Table
	names, bytes := table.Measure()
	fields := map[string]any{}
	for i := range 1000 {
		fields[fmt.Sprintf("TestTable/%04d", i)] = i
	}
	for range 2 { // the second time nothing is new
		cuecontext.New().Encode(fields)
	}
	grownNames, grownBytes := table.Measure()
	if n := grownNames - names; n < 1000 || n > 1010 {
		t.Errorf("1000 new names counted as %d", n)
	}
	if n := grownBytes - bytes; n < 1000*len("TestTable/0000") {
		t.Errorf("1000 new names have %d bytes", n)
	}
}

// tableSize is a table that takes so many bytes.
type tableSize struct {
	bytes    int
	measured chan struct{}
}

func (s *tableSize) measure() (int, int) {
	defer func() { s.measured <- struct{}{} }()
	return 0, s.bytes
}

func TestWatcher(t *testing.T) {
	for _, test := range []struct {
		name     string
		replaced int
		want     int // ticks
	}{
		{name: "first process", replaced: 0, want: 1},
		{name: "replacement", replaced: 1, want: 60},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := clocktesting.NewFakeClock(time.Unix(0, 0))
			size := &tableSize{bytes: 1 << 20, measured: make(chan struct{})}
			due := make(chan error, 1)
			go func() {
				due <- renewal.Watcher{Measure: size.measure, Replaced: test.replaced, Clock: clock}.Wait(t.Context())
			}()
			<-size.measured
			size.bytes += renewal.MaxBytes
			for tick := 1; ; tick++ {
				for !clock.HasWaiters() {
					time.Sleep(time.Millisecond)
				}
				clock.Step(time.Second)
				<-size.measured
				if tick < test.want {
					select {
					case err := <-due:
						t.Fatalf("%v after %d ticks", err, tick)
					default:
					}
					continue
				}
				if err := <-due; !errors.Is(err, renewal.ErrDue) {
					t.Errorf("got %v", err)
				}
				return
			}
		})
	}
}

func TestWatcher_Small(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	size := &tableSize{bytes: renewal.MaxBytes, measured: make(chan struct{})} // it does not grow
	ctx, cancel := context.WithCancel(t.Context())
	due := make(chan error, 1)
	go func() { due <- renewal.Watcher{Measure: size.measure, Clock: clock}.Wait(ctx) }()
	<-size.measured
	size.bytes += renewal.MaxBytes - 1
	for range 3 {
		for !clock.HasWaiters() {
			time.Sleep(time.Millisecond)
		}
		clock.Step(time.Second)
		<-size.measured
	}
	cancel()
	if err := <-due; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
