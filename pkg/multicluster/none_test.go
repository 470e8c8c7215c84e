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
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// TestNone: no request is sent, neither to the hub nor to a cluster.
func TestNone(t *testing.T) {
	t.Parallel()
	access, err := multicluster.ParseAccess("none")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: noRequests{t}}
	c, err := multicluster.New(&rest.Config{Host: "https://hub.invalid"}, client, access, testclock.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	const want = "joined clusters are not allowed here (--cluster-access=none)"
	if _, err := c.Connect(t.Context(), "eu"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("connect: got %v, want %q", err, want)
	}
	w := c.Watch(t.Context(), []string{"eu"}, true)
	defer w.Close()
	for s := w.Snapshot(); s.ListErr == nil || s.Errs["eu"] == nil; s = w.Snapshot() {
		<-w.Changed()
	}
	s := w.Snapshot()
	if s.ListErr.Error() != want || s.Errs["eu"].Error() != want || len(s.Joined) > 0 {
		t.Errorf("got %+v, want no clusters and %q", s, want)
	}
}

// noRequests fails the test at a request.
type noRequests struct{ t *testing.T }

func (n noRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("request %s %s", r.Method, r.URL)
	return nil, http.ErrServerClosed
}
