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
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
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
	crds, err := filepath.Glob("../../../addon/crds/standard.oam.dev_*.yaml")
	must(t, err)
	c.Install(t, crds...)
	return env{c.Config, c.Namespace(t), c.Client(t), c, testclock.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
}

// process is a store, and the election of its process. Close closes both.
type process struct {
	*cluster.Store
	leader *cluster.Leader
}

func (p process) Close() error { return errors.Join(p.Store.Close(), p.leader.Close()) }

func (e env) clientOptions() cluster.ClientOptions { return cluster.ClientOptions{Config: e.config} }

// electionOptions are those of a process that the Lease "worker" elects.
func (e env) electionOptions(identity string) cluster.ElectionOptions {
	return cluster.ElectionOptions{
		Client: e.clientOptions(), Namespace: e.namespace, Name: "worker", Identity: identity, Clock: e.clock,
	}
}

func (e env) elect(t testing.TB, o cluster.ElectionOptions) *cluster.Leader {
	t.Helper()
	l, err := cluster.Elect(t.Context(), o)
	must(t, err)
	return l
}

func (e env) options(leader *cluster.Leader) cluster.Options {
	return cluster.Options{Client: e.clientOptions(), Namespace: e.namespace, Owner: "notify", Leader: leader, Clock: e.clock}
}

// open elects a process, and opens the store.
func (e env) open(t testing.TB, identity string, changes ...func(*cluster.Options)) process {
	t.Helper()
	leader := e.elect(t, e.electionOptions(identity))
	o := e.options(leader)
	for _, change := range changes {
		change(&o)
	}
	s, err := cluster.Open(t.Context(), o)
	must(t, err)
	return process{s, leader}
}

// oneDeadLetter limits the number of dead letters to 1.
func oneDeadLetter(o *cluster.Options) { o.Limits.DeadLetters = 1 }

// put stores the nth dead letter.
func put(t testing.TB, s process, n int) {
	t.Helper()
	_, err := s.DeadLetters().Put(t.Context(), store.DeadLetter{Event: event.Event{Source: "x", ID: strconv.Itoa(n)}})
	must(t, err)
}

// dropped returns the number of dropped dead letters.
func dropped(t testing.TB, s process) uint64 {
	t.Helper()
	list, err := s.DeadLetters().List(t.Context())
	must(t, err)
	return list.Dropped
}

// lease returns a Lease.
func (e env) lease(t *testing.T, name string) *coordinationv1.Lease {
	t.Helper()
	lease, err := e.client.CoordinationV1().Leases(e.namespace).Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	return lease
}

// objects returns a client for any kind.
func (e env) objects(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	must(t, cluster.AddToScheme(scheme))
	c, err := client.New(e.config, client.Options{Scheme: scheme})
	must(t, err)
	return c
}

func (e env) checkpoints(t *testing.T) []v1alpha1.TriggerCheckpoint {
	t.Helper()
	var list v1alpha1.TriggerCheckpointList
	must(t, e.objects(t).List(t.Context(), &list, client.InNamespace(e.namespace), client.MatchingLabels{store.Label: "notify"}))
	return list.Items
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lost(s interface{ Lost() <-chan struct{} }) bool {
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
