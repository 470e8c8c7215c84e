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
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// stuckAfter is the time after which a running reconciliation counts as stuck. It is far
// more than all requests of one reconciliation need, because checks run in other
// processes and are not waited for.
const stuckAfter = 2 * time.Minute

// stuckDetector detects reconciliations that do not return. Only the end of the process ends
// those. It is safe for concurrent use.
type stuckDetector struct {
	log   logr.Logger
	clock clock.PassiveClock

	mu sync.Mutex
	// started has the start of each running reconciliation. A controller never reconciles an
	// object concurrently.
	started map[reconciliation]time.Time
}

// reconciliation is what a controller reconciles.
type reconciliation struct {
	controller string
	types.NamespacedName
}

func newStuckDetector(log logr.Logger, c clock.PassiveClock) *stuckDetector {
	return &stuckDetector{log: log, clock: c, started: map[reconciliation]time.Time{}}
}

// watch returns the reconciler r of a controller, whose reconciliations d watches.
func (d *stuckDetector) watch(controller string, r reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
		id := reconciliation{controller, q.NamespacedName}
		d.mu.Lock()
		d.started[id] = d.clock.Now()
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.started, id)
		}()
		return r.Reconcile(ctx, q)
	})
}

// check implements healthz.Checker. It returns an error, and logs it, while reconciliations
// have been running for longer than stuckAfter. The error names them.
func (d *stuckDetector) check(*http.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var stuck []error
	for id, start := range d.started {
		if age := d.clock.Since(start); age > stuckAfter {
			stuck = append(stuck, fmt.Errorf("reconciliation of %s by controller %s has not ended for %s", id.NamespacedName, id.controller, age.Round(time.Second)))
		}
	}
	err := errors.Join(stuck...)
	if err != nil {
		d.log.Error(err, "controller is not healthy")
	}
	return err
}
