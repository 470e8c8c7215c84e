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

package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// testProgress keeps the values of a trigger over a restart.
func testProgress(t *testing.T, e env) {
	clock := testclock.NewFakeClock(noon())
	trigger, other := event.TriggerRef{Name: "web", Namespace: "team-a"}, event.TriggerRef{Name: "other", Namespace: "team-a"}
	e.withStore(t, func(s store.Store) {
		p := store.NewProgress(s.Checkpoints(), trigger, clock)
		assertEqual(t, got(p.Load(t.Context(), "1 0"))(t), nil)
		must(t, p.Save(t.Context(), "1 0", []byte("first"), noon().Add(time.Hour)))
		must(t, p.Save(t.Context(), "1 0", []byte("second"), noon().Add(time.Hour)))
		must(t, p.Save(t.Context(), "2 0", []byte("two"), noon().Add(time.Hour)))
		assertEqual(t, got(p.Load(t.Context(), "1 0"))(t), []byte("second"))
		assertEqual(t, got(store.NewProgress(s.Checkpoints(), other, clock).Load(t.Context(), "1 0"))(t), nil)
	})
	e.withStore(t, func(s store.Store) {
		p := store.NewProgress(s.Checkpoints(), trigger, clock)
		assertEqual(t, got(p.Load(t.Context(), "1 0"))(t), []byte("second"))
		assertEqual(t, got(p.Load(t.Context(), "2 0"))(t), []byte("two"))
	})
}

// testProgressLimit drops values that have expired, of more than MaxProgress values the one that
// expires first, and refuses values that are too large.
func testProgressLimit(t *testing.T, e env) {
	clock := testclock.NewFakeClock(noon())
	e.withStore(t, func(s store.Store) {
		p := store.NewProgress(s.Checkpoints(), event.TriggerRef{Name: "web"}, clock)
		for i := range store.MaxProgress {
			must(t, p.Save(t.Context(), fmt.Sprint(i), []byte("x"), noon().Add(time.Duration(i+1)*time.Minute)))
		}
		must(t, p.Save(t.Context(), "1", []byte("again"), noon().Add(2*time.Minute)))
		assertEqual(t, got(p.Load(t.Context(), "0"))(t), []byte("x"))
		must(t, p.Save(t.Context(), "more", []byte("y"), noon().Add(time.Hour)))
		assertEqual(t, got(p.Load(t.Context(), "0"))(t), nil)
		assertEqual(t, got(p.Load(t.Context(), "1"))(t), []byte("again"))
		clock.Step(2 * time.Minute)
		must(t, p.Save(t.Context(), "more", []byte("y"), noon().Add(time.Hour)))
		assertEqual(t, got(p.Load(t.Context(), "1"))(t), nil)
		assertEqual(t, got(p.Load(t.Context(), "2"))(t), []byte("x"))
		clock.Step(time.Minute)
		must(t, p.DropExpired(t.Context()))
		if err := p.Save(t.Context(), "more", make([]byte, store.MaxValue), noon().Add(time.Hour)); !errors.Is(err, store.ErrRejected) {
			t.Errorf("a large value: %v, want ErrRejected", err)
		}
	})
	e.withStore(t, func(s store.Store) {
		p := store.NewProgress(s.Checkpoints(), event.TriggerRef{Name: "web"}, clock)
		assertEqual(t, got(p.Load(t.Context(), "0"))(t), nil)
		assertEqual(t, got(p.Load(t.Context(), "2"))(t), nil)
		assertEqual(t, got(p.Load(t.Context(), "3"))(t), []byte("x"))
		assertEqual(t, got(p.Load(t.Context(), "more"))(t), []byte("y"))
	})
}
