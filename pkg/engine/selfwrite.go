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

	"github.com/kubevela/kube-trigger/pkg/event"
)

// A LoopDetector reports which events a trigger caused. It is safe for concurrent
// use.
type LoopDetector interface {
	// OwnWrite reports whether the trigger's own action caused ev. True must be
	// certain. It may wait for running actions; if ctx ends first, it returns
	// ctx's error.
	OwnWrite(ctx context.Context, ev event.Event) (bool, error)
	// Circular reports whether the trigger's own action wrote the revision of ev,
	// directly or through other triggers, as far as that is known. It is called after
	// OwnWrite.
	Circular(ev event.Event) bool
	// Turns returns how often the trigger's action is part of the chain of actions that
	// led to ev, as far as that is known; 0 if it is not. It is called after OwnWrite.
	Turns(ev event.Event) int
	// Undone returns how many times in a row the trigger repeated its write to the object
	// of ev because others had undone it; 0 if that is not known of any.
	Undone(ev event.Event) int
	// MayCause reports whether what the trigger's actions have done so far may lead to
	// ev by ways that are not known. direct is false if that takes a server other than
	// the API server.
	MayCause(ev event.Event) (may, direct bool)
	// WithCauses returns the context for the trigger's action on ev. writer is the field
	// manager of the last write, if it is known.
	WithCauses(ctx context.Context, ev event.Event, writer string) context.Context
}

// SelfWrite is the stage that suppresses events that the trigger caused itself,
// unless its policy allows them.
type SelfWrite struct{ Detector LoopDetector }

// Handle implements Stage.
func (s SelfWrite) Handle(ctx context.Context, t *Task) Result {
	own, err := s.Detector.OwnWrite(ctx, *t.Event())
	switch {
	case err != nil:
		return stop()
	case own && !t.policy().AllowSelfTrigger:
		return Suppress(ReasonOwnWrite)
	}
	return Proceed()
}
