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
	"fmt"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// actionProgress is the progress of a trigger's actions in a store.
type actionProgress struct{ *store.Progress }

// newProgress returns a function that returns the progress of a trigger's actions in s.
func newProgress(s store.Store) func(event.TriggerRef) action.Progress {
	return func(t event.TriggerRef) action.Progress {
		return actionProgress{store.NewProgress(s.Checkpoints(), t, clock.RealClock{})}
	}
}

// Save implements action.Progress.
func (p actionProgress) Save(ctx context.Context, key string, data []byte, expires time.Time) error {
	err := p.Progress.Save(ctx, key, data, expires)
	if errors.Is(err, store.ErrRejected) {
		return fmt.Errorf("%w: %w", action.ErrNotKept, err)
	}
	return err
}
