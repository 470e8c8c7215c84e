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
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// fakeTransport answers what is written as an API server that has too much to do.
type fakeTransport struct {
	next       http.RoundTripper
	status     int
	retryAfter string
	body       string
	requests   int
}

func (b *fakeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return b.next.RoundTrip(r)
	}
	b.requests++
	return &http.Response{
		StatusCode: b.status, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Retry-After": {b.retryAfter}, "Content-Type": {"text/plain"}},
		Body:   io.NopCloser(bytes.NewReader([]byte(b.body))),
	}, nil
}

// TestClient hands on how long the API server asks to wait, instead of waiting.
func TestClient(t *testing.T) {
	c := cluster.Start(t)
	for _, b := range []*fakeTransport{
		{status: http.StatusTooManyRequests, retryAfter: "3600", body: "too many requests"},
		{status: http.StatusServiceUnavailable, retryAfter: "3600", body: `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not now","reason":"ServiceUnavailable","code":503}`},
	} {
		cfg := *c.Config
		cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { b.next = next; return b })
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
		if err == nil || action.RetryAfter(err) != time.Hour || b.requests != 1 {
			t.Errorf("got %v after %d requests, to be tried again after %s", err, b.requests, action.RetryAfter(err))
		}
		if b.status == http.StatusServiceUnavailable && (!apierrors.IsServiceUnavailable(err) || !strings.Contains(err.Error(), "not now")) {
			t.Errorf("got %v, want what it says", err)
		}
		if b.status == http.StatusTooManyRequests && !apierrors.IsTooManyRequests(err) {
			t.Errorf("got %v", err)
		}
	}
}
