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

// Package action runs CUE templates: it renders a template with an event and
// parameters, and executes the provider calls that the result contains.
package action

import (
	"context"
	"errors"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// An Action acts on an event. It is safe for concurrent use.
type Action interface {
	// Run acts on ev. It may be repeated for one event (at least once). An
	// error that Terminal made is final; any other may pass when it is tried
	// again.
	Run(ctx context.Context, ev event.Event) error
}

// Terminal marks err as final: trying again cannot help. It returns nil for
// nil.
func Terminal(err error) error {
	if err == nil {
		return nil
	}
	return terminal{err}
}

// IsTerminal reports whether err, or an error that it wraps, is final.
func IsTerminal(err error) bool {
	return errors.As(err, &terminal{})
}

type terminal struct{ error }

func (t terminal) Unwrap() error { return t.error }
