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

// Package review answers the API server when it asks whether an object may be
// written.
//
// An answer is a yes or a no only where the object was checked. Where it could not
// be, the call fails, and the failurePolicy of the webhook decides. What a call
// may take is bounded: its size, its time, and how many are answered at once.
package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

const (
	// MaxBody bounds a review, which has the object as it is and as it shall be, in
	// bytes.
	MaxBody = 7 << 20
	// MaxCalls bounds how many reviews are answered at once.
	MaxCalls = 16
	// maxTimeout is the most that a call may take, as the API server has it, and margin
	// what is left for the answer to arrive.
	maxTimeout, responseMargin = 30 * time.Second, time.Second
	// maxProblems and maxWarnings bound what is told of one object.
	maxProblems, maxWarnings = 100, 20
	// maxWarning is how much of a warning the API server passes on, in bytes.
	maxWarning = 256
)

// Verdict is what is to be said of an object.
type Verdict struct {
	// Problems are why it may not be written.
	Problems diag.List
	// Warnings are shown to whoever writes it.
	Warnings []string
}

// A Validator checks what a request is about to write. The error says that it could
// not.
type Validator func(ctx context.Context, r *admissionv1.AdmissionRequest) (Verdict, error)

// handler answers reviews.
type handler struct {
	validate Validator
	slots    chan struct{}
}

// NewHandler returns what answers reviews with the verdicts of r.
func NewHandler(r Validator) http.Handler {
	return &handler{validate: r, slots: make(chan struct{}, MaxCalls)}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout(r))
	defer cancel()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		http.Error(w, "too many reviews at once", http.StatusTooManyRequests)
		return
	}
	q, err := decode(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v, err := h.validate(ctx, q)
	if err != nil {
		logr.FromContextOrDiscard(ctx).Info("object not reviewed", "kind", q.Kind.Kind, "namespace", q.Namespace, "name", q.Name, "reason", err.Error())
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer := admissionv1.AdmissionReview{Response: v.response(q)}
	answer.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // or nobody waits for it
}

// timeout is how long the caller waits, less the margin.
func timeout(r *http.Request) time.Duration {
	d, err := time.ParseDuration(r.URL.Query().Get("timeout"))
	if err != nil || d <= 0 || d > maxTimeout {
		d = maxTimeout
	}
	return max(d-responseMargin, d/2)
}

// decode reads a review.
func decode(w http.ResponseWriter, r *http.Request) (*admissionv1.AdmissionRequest, error) {
	if r.Method != http.MethodPost {
		return nil, fmt.Errorf("method %s: must be POST", r.Method)
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return nil, fmt.Errorf("read review: %w", err)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(text, &review); err != nil {
		return nil, fmt.Errorf("read review: %w", err)
	}
	if review.Request == nil {
		return nil, errors.New("read review: it has no request")
	}
	return review.Request, nil
}

// response says v in the API server's terms.
func (v Verdict) response(q *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	out := &admissionv1.AdmissionResponse{UID: q.UID, Allowed: len(v.Problems) == 0}
	for _, text := range v.Warnings[:min(len(v.Warnings), maxWarnings)] {
		out.Warnings = append(out.Warnings, truncate(text))
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

// truncate cuts what would be cut, between letters.
func truncate(text string) string {
	if len(text) <= maxWarning {
		return text
	}
	const end = "…"
	cut := maxWarning - len(end)
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + end
}
