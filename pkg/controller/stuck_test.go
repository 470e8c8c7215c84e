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
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
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

// blockedWrites blocks requests that are not reads until end is closed. It closes blocked
// at the first one.
type blockedWrites struct {
	next         http.RoundTripper
	once         sync.Once
	blocked, end chan struct{}
}

// RoundTrip implements http.RoundTripper.
func (b *blockedWrites) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		b.once.Do(func() { close(b.blocked) })
		<-b.end
	}
	return b.next.RoundTrip(r)
}

// TestSetup_StuckReconciliation: the health check fails while a reconciliation does not
// end for more than two minutes, and the log names its object.
func TestSetup_StuckReconciliation(t *testing.T) {
	e := newEnv(t)
	writes := &blockedWrites{blocked: make(chan struct{}), end: make(chan struct{})}
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
	e.createService(t)
	cluster.Receive(t, "a write of the controller", writes.blocked)
	c.SetTime(c.Now().Add(2 * time.Minute))
	if err := m.check(nil); err != nil {
		t.Errorf("after 2 minutes: got %v, want no error", err)
	}
	c.SetTime(c.Now().Add(time.Second))
	object := e.ns + "/main"
	if err := m.check(nil); err == nil || !strings.Contains(err.Error(), object) {
		t.Errorf("after 2 minutes and a second: got error %v, want one that names %s", err, object)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(logged.String(), object+" has not ended") {
		t.Errorf("got log\n%s\nwant one that names %s", logged.String(), object)
	}
}
