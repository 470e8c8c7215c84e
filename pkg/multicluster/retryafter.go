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
	// maxClientWait is the longest Retry-After that client-go may wait for by itself.
	maxClientWait = time.Second
	// maxRetryAfterSeconds limits the delay that is passed on.
	maxRetryAfterSeconds = 3600
	// maxStatusBytes limits how much of the response body is read.
	maxStatusBytes = 64 << 10
)

// RetryAfter returns a client like c that returns at once if the API server answers
// with a Retry-After of more than a second. apierrors.SuggestsClientDelay returns the
// delay, of up to an hour, from the error. Otherwise client-go would sleep for the
// delay, up to ten times, regardless of the deadline of the request, and block its
// caller.
func RetryAfter(c *http.Client) *http.Client {
	return withTransport(c, func(next http.RoundTripper) http.RoundTripper { return retryAfterTransport{next} })
}

// withTransport returns a client like c whose requests pass the transport that wrap
// returns, before that of c.
func withTransport(c *http.Client, wrap func(next http.RoundTripper) http.RoundTripper) *http.Client {
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	out := *c
	out.Transport = wrap(next)
	return &out
}

type retryAfterTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t retryAfterTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < http.StatusInternalServerError {
		return resp, err
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || time.Duration(seconds)*time.Second <= maxClientWait {
		return resp, nil //nolint:nilerr // without a number of seconds client-go does not wait
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStatusBytes))
	if err := resp.Body.Close(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	var status metav1.Status
	if json.Unmarshal(body, &status) != nil || status.Kind != "Status" {
		status = metav1.Status{Message: string(body)}
	}
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	status.Status, status.Code = metav1.StatusFailure, int32(resp.StatusCode) //nolint:gosec // a status has three digits
	if status.Details == nil {
		status.Details = &metav1.StatusDetails{}
	}
	status.Details.RetryAfterSeconds = int32(min(seconds, maxRetryAfterSeconds)) //nolint:gosec // it is bounded
	if body, err = json.Marshal(status); err != nil {
		return nil, err
	}
	resp.Header.Del("Retry-After")
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.ContentLength, resp.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
