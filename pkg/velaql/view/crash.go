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
	action.CrashTracker
	// Crashed reports whether an evaluation has crashed the process, so that none must
	// start again.
	Crashed() bool
}

// evaluationID identifies the evaluation of a view in its CrashTracker.
const evaluationID = "evaluation"

// checkCrashed returns an error if evaluations must not start.
func checkCrashed(t CrashTracker) error {
	if t != nil && t.Crashed() {
		return action.Terminal(errors.New("its evaluation has crashed the process twice; change the view"))
	}
	return nil
}
