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

package admission_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/kubevela/kube-trigger/pkg/admission"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

const reviewJSON = `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "name": "n", "kind": {"group": "g", "kind": "K"}}}`

// serve sends a request to a handler whose validator returns v and err.
func serve(t *testing.T, method, body string, v admission.Verdict, err error) *httptest.ResponseRecorder {
	t.Helper()
	h := admission.NewHandler(func(context.Context, *admissionv1.AdmissionRequest) (admission.Verdict, error) { return v, err })
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body)))
	return w
}

// decode returns the response in w.
func decode(t *testing.T, w *httptest.ResponseRecorder) *admissionv1.AdmissionResponse {
	t.Helper()
	var out admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK || out.Response == nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if out.Kind != "AdmissionReview" || out.APIVersion != "admission.k8s.io/v1" || out.Response.UID != "u" {
		t.Errorf("review %+v", out)
	}
	return out.Response
}

func TestHandler_Verdict(t *testing.T) {
	if r := decode(t, serve(t, http.MethodPost, reviewJSON, admission.Verdict{Warnings: []string{"a", strings.Repeat("ü", 200)}}, nil)); !r.Allowed ||
		len(r.Warnings) != 2 || r.Warnings[0] != "a" || len(r.Warnings[1]) > 256 || !utf8.ValidString(r.Warnings[1]) {
		t.Errorf("%+v", r)
	}
	list := diag.List{{Path: "spec.filter", Line: 2, Column: 3, Message: "bad"}}
	r := decode(t, serve(t, http.MethodPost, reviewJSON, admission.Verdict{Problems: list}, nil))
	if r.Allowed || r.Result.Code != http.StatusUnprocessableEntity || r.Result.Message != "spec.filter:2:3: bad" ||
		len(r.Result.Details.Causes) != 1 || r.Result.Details.Causes[0].Field != "spec.filter:2:3" {
		t.Errorf("%+v", r.Result)
	}
	for range 1000 {
		list.Add("x", "bad")
	}
	r = decode(t, serve(t, http.MethodPost, reviewJSON, admission.Verdict{Problems: list}, nil))
	if causes := r.Result.Details.Causes; len(causes) != 101 || causes[100].Message != "and 901 more" {
		t.Errorf("%d causes", len(causes))
	}
}

// TestHandler_Error: an object that cannot be validated is neither allowed nor denied.
func TestHandler_Error(t *testing.T) {
	for name, tc := range map[string]struct {
		method, body string
		err          error
		want         int
	}{
		"validator":  {http.MethodPost, reviewJSON, errors.New("no child process"), http.StatusServiceUnavailable},
		"GET":        {http.MethodGet, reviewJSON, nil, http.StatusBadRequest},
		"not-json":   {http.MethodPost, "{", nil, http.StatusBadRequest},
		"no-request": {http.MethodPost, "{}", nil, http.StatusBadRequest},
		"too-large":  {http.MethodPost, reviewJSON + strings.Repeat(" ", admission.MaxBody), nil, http.StatusBadRequest},
	} {
		if w := serve(t, tc.method, tc.body, admission.Verdict{}, tc.err); w.Code != tc.want {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, tc.want)
		}
	}
}

// TestHandler_MaxCalls: at most MaxCalls calls run concurrently, each with the timeout
// that the API server passes, less a margin.
func TestHandler_MaxCalls(t *testing.T) {
	deadlines := make(chan time.Time, admission.MaxCalls)
	h := admission.NewHandler(func(ctx context.Context, _ *admissionv1.AdmissionRequest) (admission.Verdict, error) {
		deadline, _ := ctx.Deadline()
		deadlines <- deadline
		<-ctx.Done()
		return admission.Verdict{}, ctx.Err()
	})
	call := func(ctx context.Context, query string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/"+query, strings.NewReader(reviewJSON)))
		return w.Code
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	codes := make(chan int, admission.MaxCalls)
	for range admission.MaxCalls {
		go func() { codes <- call(ctx, "?timeout=10s") }()
	}
	for range admission.MaxCalls {
		if remaining := time.Until(<-deadlines); remaining > 9*time.Second {
			t.Errorf("timeout %s, want at most 9s", remaining)
		}
	}
	if code := call(t.Context(), "?timeout=10ms"); code != http.StatusTooManyRequests {
		t.Errorf("call above the limit: %d, want %d", code, http.StatusTooManyRequests)
	}
	stop()
	for range admission.MaxCalls {
		if code := <-codes; code != http.StatusServiceUnavailable {
			t.Errorf("canceled call: %d, want %d", code, http.StatusServiceUnavailable)
		}
	}
}

// TestHandler_Fair: a call of one address waits for one call of another at most, not for
// all.
func TestHandler_Fair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := admission.NewHandler(func(context.Context, *admissionv1.AdmissionRequest) (admission.Verdict, error) {
			time.Sleep(time.Second)
			return admission.Verdict{}, nil
		})
		call := func(address string) int {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?timeout=30s", strings.NewReader(reviewJSON))
			r.RemoteAddr = address + ":1"
			h.ServeHTTP(w, r)
			return w.Code
		}
		var wg sync.WaitGroup
		for range 10 * admission.MaxCalls {
			wg.Go(func() { call("10.0.0.1") })
		}
		synctest.Wait()
		start := time.Now()
		if code := call("10.0.0.2"); code != http.StatusOK || time.Since(start) > 2*time.Second {
			t.Errorf("code %d after %s, want 200 after 2s", code, time.Since(start))
		}
		wg.Wait()
	})
}

func FuzzHandler(f *testing.F) {
	f.Add([]byte(reviewJSON))
	f.Add([]byte(`{"request": null}`))
	f.Add([]byte(`{"request": {"object": {"a": 1}, "uid": "\ud800"}}`))
	h := admission.NewHandler(func(_ context.Context, r *admissionv1.AdmissionRequest) (admission.Verdict, error) {
		return admission.Verdict{Problems: diag.List{{Path: r.Name, Message: string(r.Object.Raw)}}}, nil
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(body))))
		switch w.Code {
		case http.StatusBadRequest:
		case http.StatusOK:
			var out admissionv1.AdmissionReview
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Response == nil || out.Response.Allowed {
				t.Errorf("response %s: %v", w.Body, err)
			}
		default:
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
