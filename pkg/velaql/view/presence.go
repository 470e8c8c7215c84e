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

// CrashTracker remembers beyond the end of the process what it was in the middle of.
type CrashTracker interface {
	// Begin says that something is being evaluated, and returns what says that
	// this has ended.
	Begin(id string) (end func())
	// Fatal reports whether that ended processes.
	Fatal(id string) bool
}

// evaluationID is what a witness sees of a view.
const evaluationID = "evaluation"

// crashScope tells a witness when CUE is evaluated: not while a call is answered. A
// nil one, and one without a witness, tell nobody.
type crashScope struct {
	tracker CrashTracker
	end     func()
}

type crashScopeKey struct{}

func (p *crashScope) enter() error {
	if p == nil || p.tracker == nil {
		return nil
	}
	if p.tracker.Fatal(evaluationID) {
		return action.Terminal(errors.New("its evaluation has ended processes; change the view"))
	}
	p.end = p.tracker.Begin(evaluationID)
	return nil
}

func (p *crashScope) leave() {
	if p != nil && p.end != nil {
		p.end()
		p.end = nil
	}
}
