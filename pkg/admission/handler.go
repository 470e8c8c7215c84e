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

// Package admission serves a validating admission webhook.
//
// An object that was validated is allowed or denied. If the validation itself fails,
// the call fails with an HTTP error, and the failurePolicy of the webhook decides.
// The size, the duration and the concurrency of calls are limited.
package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/fair"
)

const (
	// MaxBody is the maximum size of an AdmissionReview, which holds the old and the
	// new object, in bytes.
	MaxBody = 7 << 20
	// MaxCalls is the maximum number of concurrent calls.
	MaxCalls = 16
	// maxTimeout is the maximum timeout of a webhook call in Kubernetes.
	// responseMargin is the part of it that is reserved for the response.
	maxTimeout, responseMargin = 30 * time.Second, time.Second
	// maxProblems and maxWarnings limit the response for one object.
	maxProblems, maxWarnings = 100, 20
	// maxWarning is the length at which the API server truncates a warning, in bytes.
	maxWarning = 256
)

// Verdict is the result of validating an object.
type Verdict struct {
	// Problems deny the object, unless there are none.
	Problems diag.List
	// Warnings are shown to the client, also if the object is allowed.
	Warnings []string
}

// A Validator validates the object that a request writes. An error means that the
// object could not be validated.
type Validator func(ctx context.Context, r *admissionv1.AdmissionRequest) (Verdict, error)

// handler serves AdmissionReviews.
type handler struct {
	validate Validator
	slots    *fair.Semaphore
}

// NewHandler returns a handler that answers AdmissionReviews with the verdicts of v.
// It runs at most MaxCalls validations concurrently, and the addresses of callers take
// turns.
func NewHandler(v Validator) http.Handler {
	return &handler{validate: v, slots: fair.NewSemaphore(MaxCalls)}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout(r))
	defer cancel()
	// Anybody on the pod network may call. Addresses take turns, so that the API server
	// does not wait for all that others have sent.
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	release, err := h.slots.Acquire(ctx, address)
	if err != nil {
		http.Error(w, "too many concurrent calls", http.StatusTooManyRequests)
		return
	}
	defer release()
	q, err := decode(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v, err := h.validate(ctx, q)
	if err != nil {
		logr.FromContextOrDiscard(ctx).Info("object not validated", "kind", q.Kind.Kind, "namespace", q.Namespace, "name", q.Name, "reason", err.Error())
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	review := admissionv1.AdmissionReview{Response: v.response(q)}
	review.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review) // fails if the client is gone
}

// timeout returns the timeout that the API server passed, less responseMargin.
func timeout(r *http.Request) time.Duration {
	d, err := time.ParseDuration(r.URL.Query().Get("timeout"))
	if err != nil || d <= 0 || d > maxTimeout {
		d = maxTimeout
	}
	return max(d-responseMargin, d/2)
}

// decode returns the request of the AdmissionReview in r's body.
func decode(w http.ResponseWriter, r *http.Request) (*admissionv1.AdmissionRequest, error) {
	if r.Method != http.MethodPost {
		return nil, fmt.Errorf("method %s: must be POST", r.Method)
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return nil, fmt.Errorf("decode AdmissionReview: %w", err)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(text, &review); err != nil {
		return nil, fmt.Errorf("decode AdmissionReview: %w", err)
	}
	if review.Request == nil {
		return nil, errors.New("decode AdmissionReview: no request")
	}
	return review.Request, nil
}

// response returns the response to q.
func (v Verdict) response(q *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	out := &admissionv1.AdmissionResponse{UID: q.UID, Allowed: len(v.Problems) == 0}
	for _, text := range v.Warnings[:min(len(v.Warnings), maxWarnings)] {
		out.Warnings = append(out.Warnings, diag.Truncate(text, maxWarning))
	}
	if out.Allowed {
		return out
	}
	list := v.Problems
	if more := len(list) - maxProblems; more > 0 {
		list = append(list[:maxProblems:maxProblems], diag.Diagnostic{Message: fmt.Sprintf("and %d more", more)})
	}
	out.Result = &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
		Message: list.Error(),
		Details: &metav1.StatusDetails{Name: q.Name, Group: q.Kind.Group, Kind: q.Kind.Kind},
	}
	for _, p := range list {
		cause := metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Message: p.Message, Field: p.Path}
		if p.Line > 0 {
			cause.Field += fmt.Sprintf(":%d:%d", p.Line, p.Column)
		}
		out.Result.Details.Causes = append(out.Result.Details.Causes, cause)
	}
	return out
}
