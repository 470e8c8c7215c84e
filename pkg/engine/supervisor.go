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

package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Backoff of a failed source.
const (
	// SourceBackoffInitial is the wait after the first failure, ± Jitter. It
	// doubles with each further failure.
	SourceBackoffInitial = time.Second
	// SourceBackoffMax is the longest wait, ± Jitter.
	SourceBackoffMax = 15 * time.Second
	// SourceHealthy is how long a source must run to reset the backoff.
	SourceHealthy = time.Minute
)

// supervisor runs one source and restarts it when it fails.
type supervisor struct {
	sourceType string
	triggers   []event.TriggerRef
	source     source.Source
	sink       *sink
	clock      clock.WithDelayedExecution
	report     reporter
	failFast   bool
}

// run returns nil when ctx ends. With failFast, it returns the first failure.
func (s *supervisor) run(ctx context.Context) error {
	backoff := Backoff{Initial: SourceBackoffInitial, Max: SourceBackoffMax, Factor: 2}
	for failures := 1; ctx.Err() == nil; failures++ {
		start := s.clock.Now()
		err := s.runOnce(ctx)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errStopped) {
				logr.FromContextOrDiscard(ctx).Error(err, "Source did not stop cleanly", "source", s.sourceType)
			}
			return nil
		}
		if err == nil {
			err = errors.New("stopped unexpectedly")
		}
		err = fmt.Errorf("source %q: %w", s.sourceType, err)
		if s.failFast {
			return err
		}
		if s.clock.Since(start) >= SourceHealthy {
			failures = 1
		}
		wait := backoff.delay(failures, rand.Float64())
		s.report.sourceFailure(SourceFailure{
			Source: s.sourceType, Triggers: s.triggers, Err: err, RetryIn: wait, Time: s.clock.Now(),
		})
		sleep.For(ctx, s.clock, wait)
	}
	return nil
}

func (s *supervisor) runOnce(ctx context.Context) (err error) {
	defer panicerr.Recover(&err)
	return s.source.Run(ctx, s.sink)
}
