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
	// objects is the number of ConfigMaps that loads edit in turn. It is large enough that
	// an edit is handled before the next one of the same ConfigMap.
	objects = 200
	// waitTimeout is the maximum wait for the versions of all edits. Edits without
	// a version then count as lost.
	waitTimeout = 30 * time.Second
	// settleTime is the wait for duplicates after the versions of all edits.
	settleTime = time.Second
	// writers is the number of concurrent requests of a burst.
	writers = 16
)

// load is a pattern of edits.
type load struct {
	name string
	run  func(ctx context.Context, s *session) error
}

// loads returns all loads.
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
	env       *env
	namespace string
	recorder  *recorder
	// failed ends the session with an error.
	failed context.CancelCauseFunc
}

// wanted returns the name of the i-th ConfigMap that the filter accepts, and of its
// Application.
func wanted(i int) string { return fmt.Sprintf("app-%04d", i) }

// unwanted returns the name of the i-th ConfigMap that the filter rejects.
func unwanted(i int) string { return fmt.Sprintf("other-%04d", i) }

// edit records and makes an edit of the i-th wanted ConfigMap.
func (s *session) edit(ctx context.Context, i int) error {
	s.recorder.edit(wanted(i))
	return s.env.edit(ctx, s.namespace, wanted(i))
}

// sequential makes n edits. Each one waits until the one before has been handled.
func (s *session) sequential(ctx context.Context, n int) error {
	for i := range n {
		if err := s.edit(ctx, i%objects); err != nil {
			return err
		}
		if err := s.recorder.wait(ctx, waitTimeout); err != nil {
			return err
		}
	}
	return nil
}

// burst edits n ConfigMaps once each, without waiting for their handling.
func (s *session) burst(ctx context.Context, n int) error {
	return forEach(ctx, n, writers, s.edit)
}

// constantRate makes rate edits per second for d. Every n-th edit, with n = every, is of a
// wanted ConfigMap, the others are of unwanted ones.
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
				err = s.edit(ctx, i/every%objects)
			} else {
				err = s.env.edit(ctx, s.namespace, unwanted(i%objects))
			}
			if err != nil {
				s.failed(err)
			}
		})
	}
	return nil
}

// forEach calls f with 0 to n-1, with up to parallel concurrent calls. It stops at the first
// error.
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
