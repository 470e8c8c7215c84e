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

package access_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/access"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// bind binds a ClusterRole to a ServiceAccount.
func bind(t *testing.T, c *cluster.Cluster, role, namespace, name string) *rbacv1.ClusterRoleBinding {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	}
	binding, err := c.Client(t).RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return binding
}

// allowMetrics creates a ClusterRole that may get /metrics, and returns its name.
func allowMetrics(t *testing.T, c *cluster.Cluster, name string) string {
	t.Helper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
	}
	if _, err := c.Client(t).RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// counter counts requests.
type counter struct {
	next     http.RoundTripper
	requests atomic.Int32
}

// RoundTrip implements http.RoundTripper.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return c.next.RoundTrip(r)
}

// newHandler returns a handler that reviews as cfg's user, and counts its requests.
func newHandler(t *testing.T, cfg *rest.Config, clock *clocktesting.FakePassiveClock) (http.Handler, *counter) {
	t.Helper()
	requests := &counter{}
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		requests.next = next
		return requests
	})
	api, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return access.NewReviewer(api, clock).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), requests
}

// get returns the status and body of a request.
func get(t *testing.T, h http.Handler, path, authorization string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestHandler answers only users who may get the path, and none whom the API server does not
// review.
func TestHandler(t *testing.T) {
	c := cluster.Start(t)
	ns := c.Namespace(t)
	reviewer, scraper, other := c.ServiceAccount(t, ns, "reviewer"), c.ServiceAccount(t, ns, "scraper"), c.ServiceAccount(t, ns, "other")
	bind(t, c, "system:auth-delegator", ns, "reviewer")
	bind(t, c, allowMetrics(t, c, ns), ns, "scraper")
	clock := clocktesting.NewFakePassiveClock(time.Now())
	h, _ := newHandler(t, reviewer, clock)
	weak, _ := newHandler(t, other, clock)
	for name, tt := range map[string]struct {
		handler             http.Handler
		path, authorization string
		want                int
	}{
		"may":             {h, "/metrics", "Bearer " + scraper.BearerToken, http.StatusOK},
		"another path":    {h, "/metrics/other", "Bearer " + scraper.BearerToken, http.StatusForbidden},
		"no right":        {h, "/metrics", "Bearer " + other.BearerToken, http.StatusForbidden},
		"no token":        {h, "/metrics", "", http.StatusUnauthorized},
		"another scheme":  {h, "/metrics", "Basic " + scraper.BearerToken, http.StatusUnauthorized},
		"invalid token":   {h, "/metrics", "Bearer " + scraper.BearerToken[:len(scraper.BearerToken)-10] + "AAAAAAAAAA", http.StatusUnauthorized},
		"no right to ask": {weak, "/metrics", "Bearer " + scraper.BearerToken, http.StatusServiceUnavailable},
		"no cluster":      {access.NewReviewer(nil, clock).Handler(h), "/metrics", "Bearer " + scraper.BearerToken, http.StatusServiceUnavailable},
	} {
		got, body := get(t, tt.handler, tt.path, tt.authorization)
		if got != tt.want || strings.Contains(body, scraper.BearerToken[:20]) {
			t.Errorf("%s: got %d %q, want %d without the token", name, got, body, tt.want)
		}
	}
}

// TestHandler_Cache asks the API server once for each TTL: then, a right that was withdrawn
// no longer counts.
func TestHandler_Cache(t *testing.T) {
	c := cluster.Start(t)
	ns := c.Namespace(t)
	scraper := c.ServiceAccount(t, ns, "scraper")
	binding := bind(t, c, allowMetrics(t, c, ns), ns, "scraper")
	clock := clocktesting.NewFakePassiveClock(time.Now())
	h, requests := newHandler(t, c.Config, clock)
	expect := func(want int) {
		t.Helper()
		if got, body := get(t, h, "/metrics", "Bearer "+scraper.BearerToken); got != want {
			t.Errorf("got %d %s, want %d", got, body, want)
		}
	}
	expect(http.StatusOK)
	once := requests.requests.Load()
	if err := c.Client(t).RbacV1().ClusterRoleBindings().Delete(t.Context(), binding.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	clock.SetTime(clock.Now().Add(access.TTL - 1))
	expect(http.StatusOK)
	if got := requests.requests.Load(); got != once {
		t.Errorf("within the TTL: got %d requests, want %d", got, once)
	}
	cluster.Eventually(t, "a denial", func(context.Context) error {
		clock.SetTime(clock.Now().Add(access.TTL))
		got, body := get(t, h, "/metrics", "Bearer "+scraper.BearerToken)
		if got != http.StatusForbidden {
			return &access.DeniedError{Reason: body}
		}
		return nil
	})
}
