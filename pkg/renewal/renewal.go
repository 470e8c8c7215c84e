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

// Package renewal bounds the memory that CUE's tables of names take. CUE keeps each
// field name that it has ever evaluated until the process ends. Where names come from
// strangers, as keys of ConfigMaps or of the bodies of webhooks do, the process has to be
// replaced by a new one of the same program before they fill its memory.
package renewal

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"k8s.io/utils/clock"
)

const (
	// MaxBytes is the growth of CUE's tables after which a process is due to be
	// replaced, in bytes. That is about 240,000 names of ten letters.
	MaxBytes = 32 << 20
	// MinAge is the age below which a process that has replaced another one is not
	// replaced itself.
	MinAge = time.Minute
	// interval is the time between two measurements.
	interval = time.Second
)

// ErrDue means that the process has to be replaced by Exec.
var ErrDue = errors.New("CUE's tables of field names are full: the process has to be restarted")

// countVariable is the environment variable with the number of processes that the
// process has replaced in turn.
const countVariable = "KUBE_TRIGGER_RENEWALS"

// Count returns the number of processes that this one has replaced in turn.
func Count() int {
	n, _ := strconv.Atoi(os.Getenv(countVariable))
	return max(n, 0)
}

// Watcher tells when CUE's tables have grown too much.
type Watcher struct {
	// Measure returns the number of names in the tables and their size in bytes.
	Measure func() (names, bytes int)
	// Replaced is the number of processes that this one has replaced in turn.
	Replaced int
	Clock    clock.WithTicker
}

// Wait blocks until the tables have grown by MaxBytes and returns ErrDue, or until ctx
// ends and returns its error. A process that has replaced another one is not due before
// MinAge.
func (w Watcher) Wait(ctx context.Context) error {
	started := w.Clock.Now()
	_, initial := w.Measure()
	tick := w.Clock.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C():
		}
		_, bytes := w.Measure()
		if bytes-initial >= MaxBytes && (w.Replaced == 0 || w.Clock.Since(started) >= MinAge) {
			return ErrDue
		}
	}
}
