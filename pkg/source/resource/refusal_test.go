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

func TestNamespaceForClusterScopedKind(t *testing.T) {
	b := newEnv(t)
	r := newHarness(t, b.config, `{"apiVersion": "v1", "kind": "Namespace", "namespace": "a"}`)
	r.run()
	const want = `kind "Namespace" in "v1" belongs to no namespace: namespace "a" cannot be given`
	if got := r.waitForError().Error(); got != want {
		t.Errorf("got %s", got)
	}
}

func TestForbidden(t *testing.T) {
	b := newEnv(t)
	rule := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}
	user := "system:serviceaccount:" + b.namespace + ":eve"
	config := cluster.Start(t).ServiceAccount(t, b.namespace, "eve", rule)
	for _, tc := range []struct{ namespace, verb, where string }{
		{"kube-system", "list", `in the namespace "kube-system"`},
		{"", "list", "at the cluster scope"},
		{b.namespace, "watch", fmt.Sprintf("in the namespace %q", b.namespace)},
	} {
		t.Run(tc.verb+" "+tc.where, func(t *testing.T) {
			r := newHarness(t, config, fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "namespace": %q}`, tc.namespace))
			r.run()
			err := r.waitForError()
			want := fmt.Sprintf(`configmaps is forbidden: User %q cannot %s resource "configmaps" in API group "" %s`, user, tc.verb, tc.where)
			if !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	r := newHarness(t, &rest.Config{Host: "http://127.0.0.1:1"}, `{"apiVersion": "v1", "kind": "ConfigMap"}`)
	r.run()
	if err := r.waitForError(); !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error does not name the host: %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	b := newEnv(t)
	fake := clocktesting.NewFakeClock(time.Now())
	r := newHarness(t, b.config, b.properties(""), func(o *resource.Options) { o.Clock = fake })
	// Where a request is answered so, the client itself waits.
	r.transport.respondNext(true, http.StatusOK,
		`{"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "TooManyRequests", "code": 429, "details": {"retryAfterSeconds": 7}}}`)
	r.run()
	eventually(t, func() bool { return r.logged("watch interrupted") && fake.HasWaiters() })
	fake.Step(6999 * time.Millisecond)
	if !fake.HasWaiters() {
		t.Error("did not wait for seven seconds")
	}
	fake.Step(time.Millisecond)
	r.waitForWatch()
	b.create("a", nil)
	b.want(r.waitForEvents(1), "create a")
}
