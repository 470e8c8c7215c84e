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

// Package prompt keeps client-go from sleeping. Where the API server asks to come
// back later, client-go does so for as long as it is asked to, whatever the
// deadline of the request is, up to ten times; whoever acts for others has to do
// something else meanwhile.
package multicluster

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// shortWait is how long client-go may wait by itself where the API server asks
	// to come back later.
	shortWait = time.Second
	// longest bounds, in seconds, what is handed on.
	longest = 3600
	// maxStatus bounds what is read of such an answer, in bytes.
	maxStatus = 64 << 10
)

// RetryAfter returns a client like c that has a prompt answer where the API server
// asks to come back later than in a second. The error says how long it asks for:
// apierrors.SuggestsClientDelay.
func RetryAfter(c *http.Client) *http.Client {
	out := *c
	out.Transport = retryAfter{c.Transport}
	if c.Transport == nil {
		out.Transport = retryAfter{http.DefaultTransport}
	}
	return &out
}

type retryAfter struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p retryAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := p.next.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode < http.StatusInternalServerError {
		return answer, err
	}
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil || time.Duration(seconds)*time.Second <= shortWait {
		return answer, nil //nolint:nilerr // no number of seconds is none to wait for
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxStatus))
	if err := answer.Body.Close(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	var status metav1.Status
	if json.Unmarshal(text, &status) != nil || status.Kind != "Status" {
		status = metav1.Status{Message: string(text)}
	}
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	status.Status, status.Code = metav1.StatusFailure, int32(answer.StatusCode) //nolint:gosec // a status has three digits
	if status.Details == nil {
		status.Details = &metav1.StatusDetails{}
	}
	status.Details.RetryAfterSeconds = int32(min(seconds, longest)) //nolint:gosec // it is bounded
	if text, err = json.Marshal(status); err != nil {
		return nil, err
	}
	answer.Header.Del("Retry-After")
	answer.Header.Set("Content-Type", "application/json")
	answer.Header.Set("Content-Length", strconv.Itoa(len(text)))
	answer.ContentLength, answer.Body = int64(len(text)), io.NopCloser(bytes.NewReader(text))
	return answer, nil
}
