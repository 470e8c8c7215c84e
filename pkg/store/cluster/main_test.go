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

package cluster_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
	testcluster "github.com/kubevela/kube-trigger/test/cluster"
)

// env is a namespace for one test.
type env struct {
	config    *rest.Config
	namespace string
	client    kubernetes.Interface
	cluster   *testcluster.Cluster
	clock     *testclock.FakeClock
}

func newEnv(t testing.TB) env {
	t.Helper()
	c := testcluster.Start(t)
	crds, err := filepath.Glob("../../../addon/crds/*_triggerevents.yaml")
	must(t, err)
	c.Install(t, crds...)
	return env{c.Config, c.Namespace(t), c.Client(t), c, testclock.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
}

func (e env) options(identity string) cluster.Options {
	return cluster.Options{Config: e.config, Namespace: e.namespace, Owner: "notify", Identity: identity, Clock: e.clock}
}

func (e env) open(t testing.TB, identity string) *cluster.Store {
	t.Helper()
	return open(t, e.options(identity))
}

func open(t testing.TB, o cluster.Options) *cluster.Store {
	t.Helper()
	s, err := cluster.Open(t.Context(), o)
	must(t, err)
	return s
}

// put stores the nth dead letter.
func put(t testing.TB, s *cluster.Store, n int) {
	t.Helper()
	_, err := s.DeadLetters().Put(t.Context(), store.DeadLetter{Event: event.Event{Source: "x", ID: strconv.Itoa(n)}})
	must(t, err)
}

// dropped returns the number of dropped dead letters.
func dropped(t testing.TB, s *cluster.Store) uint64 {
	t.Helper()
	list, err := s.DeadLetters().List(t.Context())
	must(t, err)
	return list.Dropped
}

// lease returns the Lease of the store.
func (e env) lease(t *testing.T) *coordinationv1.Lease {
	t.Helper()
	lease, err := e.client.CoordinationV1().Leases(e.namespace).Get(t.Context(), "notify-store", metav1.GetOptions{})
	must(t, err)
	return lease
}

func (e env) configMaps(t *testing.T) []corev1.ConfigMap {
	t.Helper()
	list, err := e.client.CoreV1().ConfigMaps(e.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "trigger.oam.dev/store=notify"})
	must(t, err)
	return list.Items
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lost(s *cluster.Store) bool {
	select {
	case <-s.Lost():
		return true
	default:
		return false
	}
}

// inventory returns a change of objects from to from+n-1 to version.
func inventory(from, n, version int) store.Change {
	c := store.Change{Cursor: ptr.To(strconv.Itoa(version)), Values: map[string][]byte{}}
	for i := from; i < from+n; i++ {
		c.Values[fmt.Sprintf("object/namespace-%d/object-%d", i%50, i)] = fmt.Appendf(nil, "%020x %8d", i*2654435761, version)
	}
	return c
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*http2ClientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
	)
}
