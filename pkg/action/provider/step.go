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

package provider

import (
	"errors"

	"github.com/kubevela/workflow/api/v1alpha1"
)

// step implements the workflow step for `vela/builtin`. An action can fail with a
// message and wait for a condition; functions that suspend it are refused.
type step struct {
	failed, message string
}

func (s *step) Suspend(string) {}
func (s *step) Resume(string)  {}
func (s *step) Terminate(message string) {
	s.failed = orDefault(message, "the template ended the action")
}
func (s *step) Wait(message string) {
	s.message = orDefault(message, "the condition is not met yet")
}
func (s *step) Fail(message string)    { s.failed = orDefault(message, "the template failed the action") }
func (s *step) Message(message string) { s.message = message }

func (s *step) GetStatus() v1alpha1.StepStatus { return v1alpha1.StepStatus{} }

// toError replaces the error with which a builtin function ends a workflow step by one
// with the template's message.
func (s *step) toError(err error) error {
	switch {
	case s.failed != "":
		return &FailedError{Message: s.failed}
	case s.message != "":
		return errors.New(s.message)
	}
	return err
}

// FailedError is a permanent failure of a call, such as one raised by the template. It
// is not retried.
type FailedError struct{ Message string }

func (e *FailedError) Error() string { return e.Message }

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
