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

// Package action runs CUE action templates: it evaluates a template with an event
// and the user's properties, and executes the provider calls of the result.
//
// Templates are compiled once. An evaluation sees only the fields of the event that
// the template refers to. Error messages contain no data of the event.
package action

import "errors"

// Terminal marks err as permanent: a retry cannot succeed. It returns nil if err is
// nil.
func Terminal(err error) error {
	if err == nil {
		return nil
	}
	return terminal{err}
}

// IsTerminal reports whether err, or an error that it wraps, was marked by Terminal.
func IsTerminal(err error) bool {
	return errors.As(err, &terminal{})
}

type terminal struct{ error }

func (t terminal) Unwrap() error { return t.error }

// Terminal returns true: a retry cannot succeed.
func (terminal) Terminal() bool { return true }
