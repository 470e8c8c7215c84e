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

package fair_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/fair"
)

// TestSemaphore_Turns: a key with one caller waits for one turn of each other key, not
// for all their callers.
func TestSemaphore_Turns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fair.NewSemaphore(1)
		release, err := s.Acquire(t.Context(), "first")
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []string
		acquire := func(key string) {
			go func() {
				release, err := s.Acquire(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, key)
				mu.Unlock()
				release()
			}()
			synctest.Wait()
		}
		for range 3 {
			acquire("a")
		}
		for range 2 {
			acquire("b")
		}
		acquire("c")
		if n := s.Waiting(); n != 6 {
			t.Errorf("%d are waiting, want 6", n)
		}
		release()
		synctest.Wait()
		if want := []string{"a", "b", "c", "a", "b", "a"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

// TestSemaphore_Use: a key that has used slots for long waits for all others.
func TestSemaphore_Use(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fair.NewSemaphore(1)
		var mu sync.Mutex
		var order []string
		acquire := func(key string, d time.Duration) {
			go func() {
				release, err := s.Acquire(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, key)
				mu.Unlock()
				time.Sleep(d)
				release()
			}()
			synctest.Wait()
		}
		acquire("heavy", 10*time.Second)
		acquire("heavy", time.Second)
		acquire("heavy", time.Second)
		acquire("a", time.Second)
		acquire("b", time.Second)
		time.Sleep(11 * time.Second)
		acquire("c", time.Second) // while a or b uses the slot
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"heavy", "a", "b", "c", "heavy", "heavy"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

func TestSemaphore_Cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fair.NewSemaphore(1)
		release, _ := s.Acquire(t.Context(), "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Acquire(ctx, "b"); err == nil {
			t.Error("acquired a second slot")
		}
		if s.Waiting() != 0 {
			t.Error("a caller that left is waiting")
		}
		release()
		if release, err := s.Acquire(t.Context(), "c"); err != nil {
			t.Error(err)
		} else {
			release()
		}
	})
}

// TestSemaphore_Slots never has more callers than slots, and loses none, whoever leaves.
func TestSemaphore_Slots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots = 3
		s := fair.NewSemaphore(slots)
		var mu sync.Mutex
		running, most := 0, 0
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(2000))*time.Millisecond)
				defer cancel()
				release, err := s.Acquire(ctx, fmt.Sprint(i%7))
				if err != nil {
					return
				}
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
				mu.Lock()
				running--
				mu.Unlock()
				release()
			})
		}
		wg.Wait()
		if most != slots || s.Waiting() != 0 {
			t.Errorf("%d at once, want %d; %d are waiting", most, slots, s.Waiting())
		}
		for range slots {
			if _, err := s.Acquire(t.Context(), "x"); err != nil {
				t.Error(err)
			}
		}
	})
}
