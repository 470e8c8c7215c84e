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

package multicluster_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// fakeTransport answers writes like an overloaded API server, and passes reads on.
type fakeTransport struct {
	next       http.RoundTripper
	status     int
	retryAfter string
	body       string
	requests   int
}

func (tr *fakeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return tr.next.RoundTrip(r)
	}
	tr.requests++
	return &http.Response{
		StatusCode: tr.status, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Retry-After": {tr.retryAfter}, "Content-Type": {"text/plain"}},
		Body:   io.NopCloser(bytes.NewReader([]byte(tr.body))),
	}, nil
}

// TestRetryAfter checks that a client returns the requested delay instead of waiting.
func TestRetryAfter(t *testing.T) {
	c := cluster.Start(t)
	for _, tr := range []*fakeTransport{
		{status: http.StatusTooManyRequests, retryAfter: "3600", body: "too many requests"},
		{status: http.StatusServiceUnavailable, retryAfter: "3600", body: `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not now","reason":"ServiceUnavailable","code":503}`},
	} {
		cfg := *c.Config
		cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { tr.next = next; return tr })
		httpClient, err := rest.HTTPClientFor(&cfg)
		if err != nil {
			t.Fatal(err)
		}
		kube, err := client.New(&cfg, client.Options{HTTPClient: multicluster.RetryAfter(httpClient)})
		if err != nil {
			t.Fatal(err)
		}
		o := &corev1.ConfigMap{}
		o.Name, o.Namespace = "x", "default"
		err = kube.Create(t.Context(), o)
		seconds, _ := apierrors.SuggestsClientDelay(err)
		if err == nil || seconds != 3600 || tr.requests != 1 {
			t.Errorf("got %v after %d requests, to be retried after %d s", err, tr.requests, seconds)
		}
		if tr.status == http.StatusServiceUnavailable && (!apierrors.IsServiceUnavailable(err) || !strings.Contains(err.Error(), "not now")) {
			t.Errorf("got %v, want the reason and message of the API server", err)
		}
		if tr.status == http.StatusTooManyRequests && !apierrors.IsTooManyRequests(err) {
			t.Errorf("got %v", err)
		}
	}
}
