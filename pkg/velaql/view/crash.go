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

package view

import (
	"errors"

	"github.com/kubevela/kube-trigger/pkg/action"
)

// CrashTracker records evaluations persistently, to detect those that crash the
// process.
type CrashTracker interface {
	// Begin records the start of the evaluation id. The caller calls end when it is
	// finished.
	Begin(id string) (end func())
	// Crashed reports whether the evaluation id has crashed the process, so that it must
	// not start again.
	Crashed(id string) bool
}

// evaluationID identifies the evaluation of a view in its CrashTracker.
const evaluationID = "evaluation"

// crashScope records the times when CUE is evaluated, without the execution of calls,
// in a CrashTracker. A nil crashScope, and one without a tracker, record nothing.
type crashScope struct {
	tracker CrashTracker
	end     func()
}

type crashScopeKey struct{}

func (s *crashScope) enter() error {
	if s == nil || s.tracker == nil {
		return nil
	}
	if s.tracker.Crashed(evaluationID) {
		return action.Terminal(errors.New("its evaluation has crashed the process; change the view"))
	}
	s.end = s.tracker.Begin(evaluationID)
	return nil
}

func (s *crashScope) leave() {
	if s != nil && s.end != nil {
		s.end()
		s.end = nil
	}
}
