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

	"github.com/kubevela/kube-trigger/pkg/event"
)

var (
	// ErrNotRunning says that no trigger of that name takes events.
	ErrNotRunning = errors.New("no such trigger runs")
	// ErrSuspended says that the trigger is suspended.
	ErrSuspended = errors.New("the trigger is suspended")
)

// Deliver has one trigger handle ev, whatever its subscription says, behind the
// other events of ev's key. It does as the Deliver of a source.Sink does.
func (e *Engine) Deliver(ctx context.Context, t event.TriggerRef, ev event.Event, done func()) error {
	e.mu.Lock()
	running, stop, runners := e.running, e.stop, e.runners
	e.mu.Unlock()
	for _, r := range runners {
		switch {
		case r.trigger.TriggerRef != t || !running:
			continue
		case r.trigger.Policy.Suspend:
			return fmt.Errorf("deliver event %q to trigger %q: %w", ev.ID, t, ErrSuspended)
		}
		return (&sink{runners: []*runner{r}, stop: stop, ignoreSubscription: true}).Deliver(ctx, ev, done)
	}
	return fmt.Errorf("deliver event %q to trigger %q: %w", ev.ID, t, ErrNotRunning)
}
