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

package action

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cuelang.org/go/cue"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// maxConflictRetries limits the immediate retries after a conflict on a
// resourceVersion. In each round one of the concurrent writers succeeds.
const maxConflictRetries = 10

// CallError is the failure of a provider call.
type CallError struct {
	// Call is the path of the call in the template, Function its provider function,
	// such as "kube.patch".
	Call, Function string
	err            error
}

func (e *CallError) Error() string { return fmt.Sprintf("%s: %v", e.Place(), e.err) }

// Place returns the call and its provider function, without the error.
func (e *CallError) Place() string { return e.Call + " (" + e.Function + ")" }

func (e *CallError) Unwrap() error { return e.err }

func isConflict(err error) bool { return apierrors.IsConflict(err) }

// classify marks err as terminal if no time can mend it: a request that was answered
// with a final status, an invalid parameter, an object of the event that is gone, a
// failure that the template raised, or a panic. A kind that is not installed may be
// installed later, and what a policy of the cluster denies may be allowed later.
func classify(err error) error {
	var (
		status   apierrors.APIStatus
		param    *provider.ParamError
		failed   *provider.FailedError
		gone     *provider.GoneError
		panicked *panicerr.Error
	)
	switch {
	case err == nil || IsTerminal(err):
		return err
	case errors.As(err, &param), errors.As(err, &failed), errors.As(err, &gone), errors.As(err, &panicked):
		return Terminal(err)
	case errors.As(err, &status) && isFinal(status.Status().Code) && !isDenial(err):
		return Terminal(err)
	}
	return err
}

// isFinal reports whether a status code says that the request itself is wrong, so that it
// would be refused at any time. Rights, quotas, credentials, and objects that are absent or
// locked change.
func isFinal(code int32) bool {
	switch code {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// isDenial reports whether an admission webhook or policy has refused a request. The status
// code is the webhook's choice: the API server takes 400 if there is none, and 422 for
// policies without a reason.
func isDenial(err error) bool {
	var refused *apierrors.StatusError
	if !errors.As(err, &refused) {
		return false
	}
	message := refused.ErrStatus.Message
	return strings.HasPrefix(message, "admission webhook ") && strings.Contains(message, "denied the request") ||
		strings.Contains(message, "ValidatingAdmissionPolicy ") && strings.Contains(message, "denied request")
}

// newConflictBackoff returns the waits before the template is evaluated again: 1 ms to
// 5 ms, doubled each time, so that two triggers that patch the same object do not
// meet again.
func newConflictBackoff() wait.Backoff {
	return wait.Backoff{Duration: time.Millisecond, Factor: 2, Jitter: 4, Steps: maxConflictRetries, Cap: 16 * time.Millisecond}
}

// terminalPanic marks err as terminal if it is a panic.
func (t *Template) terminalPanic(err *error) {
	if p := (*panicerr.Error)(nil); errors.As(*err, &p) {
		*err = Terminal(fmt.Errorf("template %q: %w", t.name, *err))
	}
}

// incomplete reports whether v is valid but not concrete yet.
func incomplete(v cue.Value) bool {
	return v.Validate() == nil && v.Validate(cue.Concrete(true)) != nil
}
