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
	"context"

	"github.com/kubevela/workflow/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// step implements the workflow step for `vela/builtin`. An action can fail with a
// message; functions that suspend it are refused.
type step struct {
	failed, message string
}

func (s *step) Suspend(string) {}
func (s *step) Resume(string)  {}
func (s *step) Terminate(message string) {
	s.failed = orDefault(message, "the template ended the action")
}
func (s *step) Wait(string)            {}
func (s *step) Fail(message string)    { s.failed = orDefault(message, "the template failed the action") }
func (s *step) Message(message string) { s.message = message }

func (s *step) GetStatus() v1alpha1.StepStatus { return v1alpha1.StepStatus{} }

// toError replaces the error with which a builtin function ends a workflow step by one
// with the template's message.
func (s *step) toError(err error) error {
	if s.failed != "" {
		return &FailedError{Message: s.failed}
	}
	return err
}

// waitForCondition returns a WaitError unless the parameter continue is true.
func waitForCondition(_ context.Context, _ *executor, _ client.Client, call Call) (Result, error) {
	if met, _ := call.Params["continue"].(bool); met {
		return Result{}, nil
	}
	return nil, &WaitError{Message: orDefault(str(call.Params, "message"), "the condition is not met yet")}
}

// WaitError is the error of a call whose condition is not met.
type WaitError struct{ Message string }

func (e *WaitError) Error() string { return e.Message }

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
