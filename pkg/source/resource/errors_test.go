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

package resource_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

func TestWatcher_NamespaceOfClusterScopedKind(t *testing.T) {
	e := newEnv(t)
	h := newHarness(t, e.config, `{"apiVersion": "v1", "kind": "Namespace", "namespace": "a"}`)
	h.run()
	const want = `kind "Namespace" in "v1" is cluster-scoped: namespace "a" must not be set`
	if got := h.waitForError().Error(); got != want {
		t.Errorf("got %s", got)
	}
}

func TestWatcher_Forbidden(t *testing.T) {
	e := newEnv(t)
	rule := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}
	user := "system:serviceaccount:" + e.namespace + ":eve"
	config := cluster.Start(t).ServiceAccount(t, e.namespace, "eve", rule)
	for _, tc := range []struct{ name, namespace, verb, where string }{
		{"list-namespace", "kube-system", "list", `in the namespace "kube-system"`},
		{"list-cluster", "", "list", "at the cluster scope"},
		{"watch", e.namespace, "watch", fmt.Sprintf("in the namespace %q", e.namespace)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t, config, fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "namespace": %q}`, tc.namespace))
			h.run()
			err := h.waitForError()
			want := fmt.Sprintf(`configmaps is forbidden: User %q cannot %s resource "configmaps" in API group "" %s`, user, tc.verb, tc.where)
			if !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestWatcher_Unreachable(t *testing.T) {
	h := newHarness(t, &rest.Config{Host: "http://127.0.0.1:1"}, `{"apiVersion": "v1", "kind": "ConfigMap"}`)
	h.run()
	if err := h.waitForError(); !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error does not name the host: %v", err)
	}
}

func TestWatcher_RetryAfter(t *testing.T) {
	e := newEnv(t)
	fake := clocktesting.NewFakeClock(time.Now())
	h := newHarness(t, e.config, e.properties(""), func(o *resource.Options) { o.Clock = fake })
	// An error in the stream: for an error response the client itself waits.
	h.transport.respondNext(true, http.StatusOK,
		`{"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "TooManyRequests", "code": 429, "details": {"retryAfterSeconds": 7}}}`)
	h.run()
	eventually(t, func() bool { return h.logged("watch interrupted") && fake.HasWaiters() })
	fake.Step(6999 * time.Millisecond)
	if !fake.HasWaiters() {
		t.Error("did not wait for 7 s")
	}
	fake.Step(time.Millisecond)
	h.waitForWatch()
	e.create("a", nil)
	e.want(h.waitForEvents(1), "create a")
}
