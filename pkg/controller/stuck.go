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

package controller

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// stuckAfter is the time after which a running reconciliation counts as stuck. It is far
// more than all requests of one reconciliation need, because checks run in other
// processes and are not waited for.
const stuckAfter = 2 * time.Minute

// stuckDetector wraps a reconciler and detects reconciliations that do not return. Only
// the end of the process ends those. It is safe for concurrent use.
type stuckDetector struct {
	reconcile.Reconciler
	log   logr.Logger
	clock clock.PassiveClock

	mu sync.Mutex
	// started has the start of each running reconciliation. An object is never reconciled
	// concurrently.
	started map[ctrl.Request]time.Time
}

func newStuckDetector(r reconcile.Reconciler, log logr.Logger, c clock.PassiveClock) *stuckDetector {
	return &stuckDetector{Reconciler: r, log: log, clock: c, started: map[ctrl.Request]time.Time{}}
}

// Reconcile implements reconcile.Reconciler.
func (d *stuckDetector) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	d.mu.Lock()
	d.started[q] = d.clock.Now()
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.started, q)
	}()
	return d.Reconciler.Reconcile(ctx, q)
}

// check implements healthz.Checker. It returns an error, and logs it, while a
// reconciliation has been running for longer than stuckAfter.
func (d *stuckDetector) check(*http.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for q, start := range d.started {
		if age := d.clock.Since(start); age > stuckAfter {
			err := fmt.Errorf("reconciliation of TriggerService %s has not ended for %s", q.NamespacedName, age.Round(time.Second))
			d.log.Error(err, "controller is not healthy")
			return err
		}
	}
	return nil
}
