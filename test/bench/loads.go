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

package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// objects is the number of ConfigMaps that loads with a rate edit in turn. It
	// is large enough that an edit is handled before the next one of its object.
	objects = 200
	// waitTimeout is the wait for the last version; what is missing then is lost.
	waitTimeout = 30 * time.Second
	// settleTime is the wait for a version too many.
	settleTime = time.Second
	// writers is the number of concurrent edits of a burst.
	writers = 16
)

// load is a pattern of edits.
type load struct {
	name string
	run  func(ctx context.Context, s *session) error
}

func loads(size size) []load {
	return []load{
		{"one at a time", func(ctx context.Context, s *session) error { return s.sequential(ctx, size.single) }},
		{fmt.Sprintf("%d at once", size.burst), func(ctx context.Context, s *session) error { return s.burst(ctx, size.burst) }},
		{"50 a second", func(ctx context.Context, s *session) error { return s.constantRate(ctx, 50, 1, size.duration) }},
		{"20 a second, and 180 unwanted", func(ctx context.Context, s *session) error { return s.constantRate(ctx, 200, 10, size.duration) }},
	}
}

// session is one run of a load.
type session struct {
	bed       *env
	namespace string
	ledger    *ledger
	// failed ends the session.
	failed context.CancelCauseFunc
}

func wanted(i int) string { return fmt.Sprintf("app-%04d", i) }

func unwanted(i int) string { return fmt.Sprintf("other-%04d", i) }

// edit edits the ConfigMap of the i-th Application.
func (s *session) edit(ctx context.Context, i int) error {
	s.ledger.edit(wanted(i))
	return s.bed.edit(ctx, s.namespace, wanted(i))
}

// sequential edits the next ConfigMap once the edit before has been handled.
func (s *session) sequential(ctx context.Context, n int) error {
	for i := range n {
		if err := s.edit(ctx, i%objects); err != nil {
			return err
		}
		if err := s.ledger.wait(ctx, waitTimeout); err != nil {
			return err
		}
	}
	return nil
}

// burst edits n ConfigMaps, each once, without waiting.
func (s *session) burst(ctx context.Context, n int) error {
	return forEach(ctx, n, writers, s.edit)
}

// constantRate edits rate ConfigMaps a second for d. One edit in every is of a
// ConfigMap with an Application.
func (s *session) constantRate(ctx context.Context, rate, every int, d time.Duration) error {
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for i := range rate * int(d.Seconds()) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		running.Go(func() {
			var err error
			if i%every == 0 {
				s.ledger.edit(wanted(i / every % objects))
				err = s.bed.edit(ctx, s.namespace, wanted(i/every%objects))
			} else {
				err = s.bed.edit(ctx, s.namespace, unwanted(i%objects))
			}
			if err != nil {
				s.failed(err)
			}
		})
	}
	return nil
}

// forEach calls f with 0 to n-1, parallel calls at a time. It stops at the first
// error, and returns it.
func forEach(ctx context.Context, n, parallel int, f func(ctx context.Context, i int) error) error {
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	numbers := make(chan int)
	var running sync.WaitGroup
	for range parallel {
		running.Go(func() {
			for i := range numbers {
				if err := f(ctx, i); err != nil {
					failed(err)
					return
				}
			}
		})
	}
	defer running.Wait()
	defer close(numbers)
	for i := range n {
		select {
		case numbers <- i:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
