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

package app

import (
	"context"
	"errors"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/renewal"
)

// runUntilDue calls run with a context that ends when the process has to be replaced.
// Then it returns renewal.ErrDue, unless ctx has ended or run has failed.
func (s *server) runUntilDue(ctx context.Context, run func(context.Context) error) error {
	runCtx, stop := context.WithCancel(ctx)
	due := make(chan error, 1)
	go func() {
		err := s.renewalWatcher().Wait(runCtx)
		if errors.Is(err, renewal.ErrDue) {
			logr.FromContextOrDiscard(ctx).Info("CUE's tables of field names are full: the process is replaced when running actions have finished")
			stop()
		}
		due <- err
	}()
	err := run(runCtx)
	stop()
	if dueErr := <-due; err == nil && ctx.Err() == nil && errors.Is(dueErr, renewal.ErrDue) {
		return dueErr
	}
	return err
}

// renewalWatcher returns a watcher of CUE's tables, whose size it adds to the metrics.
func (s *server) renewalWatcher() renewal.Watcher {
	var table renewal.Table
	replaced := renewal.Count()
	return renewal.Watcher{Replaced: replaced, Clock: clock.RealClock{}, Measure: func() (names, bytes int) {
		names, bytes = table.Measure()
		s.process.SetNames(names, replaced)
		return names, bytes
	}}
}
