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

package resource

import (
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestPhase_AfterFailure(t *testing.T) {
	gone := fmt.Errorf("watch: %w", apierrors.NewResourceExpired("too old"))
	notFound := fmt.Errorf("list: %w", apierrors.NewNotFound(schema.GroupResource{Resource: "images"}, ""))
	for _, tc := range []struct {
		name         string
		phase, start phase
		err          error
		next         phase
		nextStart    phase
		interrupted  bool
	}{
		{"load", phaseLoad, phaseList, gone, phaseLoad, phaseList, false},
		{"history-gone", phaseWatch, phaseResume, gone, phaseResolve, phaseRelist, true},
		{"history-gone/restore", phaseSync, phaseRestore, gone, phaseResolve, phaseRelist, true},
		{"history-gone/first-list", phaseList, phaseList, gone, phaseResolve, phaseList, true},
		{"not-found", phaseWatch, phaseResume, notFound, phaseRediscover, phaseRelist, true},
		{"not-found/first-list", phaseList, phaseList, notFound, phaseRediscover, phaseList, true},
		{"too-many-requests", phaseRelist, phaseRelist, apierrors.NewTooManyRequests("", 1), phaseResolve, phaseRelist, true},
		{"stream", phaseWatch, phaseResume, interruptedError{errors.New("closed")}, phaseResolve, phaseResume, true},
		{"other", phaseWatch, phaseResume, errors.New("forbidden"), phaseResolve, phaseResume, false},
		{"other/rediscover", phaseRediscover, phaseRelist, errors.New("panic"), phaseRediscover, phaseRelist, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &watcher{phase: tc.phase, start: tc.start, backoff: newBackoff()}
			_, interrupted := w.fail(tc.err)
			if w.phase != tc.next || w.start != tc.nextStart || interrupted != tc.interrupted {
				t.Errorf("phase %d, start %d, interrupted %v", w.phase, w.start, interrupted)
			}
		})
	}
}

func TestPhase_Delay(t *testing.T) {
	w := &watcher{phase: phaseWatch, backoff: newBackoff()}
	if delay, _ := w.fail(apierrors.NewTooManyRequests("", 7)); delay != 7*time.Second {
		t.Errorf("delay %s, want the 7s of the API server", delay)
	}
	if delay, _ := w.fail(errors.New("second failure")); delay < 100*time.Millisecond || delay > 300*time.Millisecond {
		t.Errorf("delay %s, want 200ms ± 50 %%", delay)
	}
}

func TestPhase_AfterSuccess(t *testing.T) {
	w := &watcher{phase: phaseResume, start: phaseResume, subscribers: newSubscribers(nil)}
	w.enter(phaseRelist)
	if w.phase != phaseRelist || w.start != phaseRelist {
		t.Errorf("after a rollback: phase %d, start %d; a failed list must be repeated", w.phase, w.start)
	}
	w.enter(phaseSave)
	w.phase = phaseWatch
	w.enter(phaseResolve)
	if w.phase != phaseResolve || w.start != phaseResume {
		t.Errorf("after the stream ended: phase %d, start %d", w.phase, w.start)
	}
}
