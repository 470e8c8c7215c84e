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
	// objects is how many ConfigMaps the loads with a rate edit in turn, so that
	// each is acted on long before it is edited again.
	objects = 200
	// patience is how long is waited for the last version before it is lost.
	patience = 30 * time.Second
	// linger is how long is waited for a version that should not come.
	linger = time.Second
	// writers is how many edits are under way at once in a burst.
	writers = 16
)

// load is a way to edit ConfigMaps.
type load struct {
	name string
	run  func(ctx context.Context, s *session) error
}

func loads(size size) []load {
	return []load{
		{"one at a time", func(ctx context.Context, s *session) error { return s.oneByOne(ctx, size.single) }},
		{fmt.Sprintf("%d at once", size.burst), func(ctx context.Context, s *session) error { return s.atOnce(ctx, size.burst) }},
		{"50 a second", func(ctx context.Context, s *session) error { return s.steady(ctx, 50, 1, size.duration) }},
		{"20 a second, and 180 unwanted", func(ctx context.Context, s *session) error { return s.steady(ctx, 200, 10, size.duration) }},
	}
}

// session is one run of a load.
type session struct {
	bed       *bed
	namespace string
	ledger    *ledger
	// failed ends the session.
	failed context.CancelCauseFunc
}

func wanted(i int) string { return fmt.Sprintf("app-%04d", i) }

func unwanted(i int) string { return fmt.Sprintf("other-%04d", i) }

// edit edits the i-th wanted ConfigMap.
func (s *session) edit(ctx context.Context, i int) error {
	s.ledger.edit(wanted(i))
	return s.bed.edit(ctx, s.namespace, wanted(i))
}

// oneByOne edits a ConfigMap when the one before has been acted on.
func (s *session) oneByOne(ctx context.Context, n int) error {
	for i := range n {
		if err := s.edit(ctx, i%objects); err != nil {
			return err
		}
		if err := s.ledger.wait(ctx, patience); err != nil {
			return err
		}
	}
	return nil
}

// atOnce edits n ConfigMaps, each once.
func (s *session) atOnce(ctx context.Context, n int) error {
	return each(ctx, n, writers, s.edit)
}

// steady edits so many ConfigMaps a second, of which one in so many is wanted.
func (s *session) steady(ctx context.Context, rate, one int, d time.Duration) error {
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
			if i%one == 0 {
				s.ledger.edit(wanted(i / one % objects))
				err = s.bed.edit(ctx, s.namespace, wanted(i/one%objects))
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

// each calls f with 0 to n-1, so many at a time, until one fails.
func each(ctx context.Context, n, parallel int, f func(ctx context.Context, i int) error) error {
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
