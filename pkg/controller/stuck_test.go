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

package controller_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	rbacv1 "k8s.io/api/rbac/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// checkedManager is a manager that records its health checks.
type checkedManager struct {
	ctrl.Manager
	check healthz.Checker
}

// AddHealthzCheck implements ctrl.Manager.
func (m *checkedManager) AddHealthzCheck(_ string, check healthz.Checker) error {
	m.check = check
	return nil
}

// blockedWrites blocks writes of a resource from when it is armed until end is closed. It closes
// blocked at the first one.
type blockedWrites struct {
	next         http.RoundTripper
	resource     string
	armed        atomic.Bool
	once         sync.Once
	blocked, end chan struct{}
}

// RoundTrip implements http.RoundTripper.
func (b *blockedWrites) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.armed.Load() && r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/"+b.resource+"/") {
		b.once.Do(func() { close(b.blocked) })
		<-b.end
	}
	return b.next.RoundTrip(r)
}

// TestSetup_StuckReconciliation: the health check fails while a reconciliation of any
// controller does not end for more than two minutes, and the log names its object.
func TestSetup_StuckReconciliation(t *testing.T) {
	t.Run("triggerservice", func(t *testing.T) {
		testStuckReconciliation(t, "deployments", "main by controller triggerservice", func(e *env, arm func()) {
			arm()
			e.createService(t)
		})
	})
	t.Run("namespace", func(t *testing.T) {
		testStuckReconciliation(t, "roles", " by controller namespace", func(e *env, arm func()) {
			e.createService(t)
			e.waitForDeployment(t)
			arm()
			role := e.get(t, controller.ImpersonateRole, &rbacv1.Role{})
			if err := e.client.Delete(t.Context(), role); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// testStuckReconciliation blocks writes of resource from when act, which causes them, arms that.
// It wants to hear of object, which has no namespace.
func testStuckReconciliation(t *testing.T, resource, object string, act func(e *env, arm func())) {
	e := newEnv(t)
	writes := &blockedWrites{resource: resource, blocked: make(chan struct{}), end: make(chan struct{})}
	var mu sync.Mutex
	var logged strings.Builder
	log := funcr.New(func(_, args string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(&logged, args)
	}, funcr.Options{})
	m := &checkedManager{Manager: e.newManager(t, log, func(next http.RoundTripper) http.RoundTripper {
		writes.next = next
		return writes
	})}
	c := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	o := e.newOptions(t)
	o.Clock = c
	if err := controller.Setup(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	start(t, m)
	t.Cleanup(func() { close(writes.end) })
	act(e, func() { writes.armed.Store(true) })
	cluster.Receive(t, "a write of the controller", writes.blocked)
	c.SetTime(c.Now().Add(2 * time.Minute))
	if err := m.check(nil); err != nil {
		t.Errorf("after 2 minutes: got %v, want no error", err)
	}
	c.SetTime(c.Now().Add(time.Second))
	object = e.ns + "/" + object
	if err := m.check(nil); err == nil || !strings.Contains(err.Error(), object) {
		t.Errorf("after 2 minutes and a second: got error %v, want one that names %s", err, object)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(logged.String(), object+" has not ended") {
		t.Errorf("got log\n%s\nwant one that names %s", logged.String(), object)
	}
}
