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

// Package panicerr turns panics into errors.
package panicerr

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Error is a recovered panic.
type Error struct {
	value any
	// Stack is the stack trace of the panic.
	Stack []byte
}

// Error contains the panic's value only if it is a runtime.Error. Other values may
// contain data of an event.
func (e *Error) Error() string {
	if err, ok := e.value.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic with a value of type %T", e.value)
}

// Recover recovers a panic and stores it in err as an *Error. It has to be deferred
// itself:
//
//	defer panicerr.Recover(&err)
func Recover(err *error) {
	if v := recover(); v != nil {
		*err = &Error{value: v, Stack: debug.Stack()}
	}
}

// Call returns the results of f, or its panic as an *Error.
func Call[T any](f func() (T, error)) (result T, err error) {
	defer Recover(&err)
	return f()
}
