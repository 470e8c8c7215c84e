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

package k8sevent_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/k8sevent"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/sources"
)

// env is a namespace of a cluster in which a test creates Events.
type env struct {
	*testing.T
	cluster   *cluster.Cluster
	client    kubernetes.Interface
	namespace string
	program   sources.Program
}

// newEnv returns an env with triggers, whose properties are in YAML. %s in them is the
// namespace.
func newEnv(t *testing.T, triggers map[string]string, opts ...cluster.Option) env {
	t.Helper()
	c := cluster.Start(t, opts...)
	namespace := c.Namespace(t)
	formatted := map[string]string{}
	for name, properties := range triggers {
		formatted[name] = fmt.Sprintf(properties, namespace)
	}
	return env{t, c, c.Client(t), namespace, sources.Program{
		Config: c.Config, New: k8sevent.New, Folder: t.TempDir(), Triggers: formatted,
	}}
}

// report creates an Event that regards a Pod, as recorders of events.k8s.io do.
func (e env) report(name, reason, kind string) {
	e.Helper()
	_, err := e.client.EventsV1().Events(e.namespace).Create(e.Context(), &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		EventTime:  metav1.NewMicroTime(time.Now()), Reason: reason, Type: kind, Action: "Test",
		ReportingController: "example.com/test", ReportingInstance: "test-0",
		Regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: e.namespace, Name: name},
	}, metav1.CreateOptions{})
	if err != nil {
		e.Fatal(err)
	}
}

// repeat sets the count of an Event's series.
func (e env) repeat(name string, count int) {
	e.Helper()
	e.patch(name, fmt.Sprintf(`{"series": {"count": %d, "lastObservedTime": "2026-11-24T10:00:00.000000Z"}}`, count))
}

func (e env) patch(name, patch string) {
	e.Helper()
	_, err := e.client.EventsV1().Events(e.namespace).Patch(e.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		e.Fatal(err)
	}
}

// reportCoreV1 creates an Event that regards a Deployment and repeats it up to count, as
// recorders of v1 do.
func (e env) reportCoreV1(name string, count int32) {
	e.Helper()
	events := e.client.CoreV1().Events(e.namespace)
	created, err := events.Create(e.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Reason: "ScalingReplicaSet", Type: "Normal", Count: 1,
		InvolvedObject: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: e.namespace, Name: name},
	}, metav1.CreateOptions{})
	if err != nil {
		e.Fatal(err)
	}
	for created.Count < count {
		created.Count++
		if created, err = events.Update(e.Context(), created, metav1.UpdateOptions{}); err != nil {
			e.Fatal(err)
		}
	}
}

func (e env) delete(name string) {
	e.Helper()
	if err := e.client.EventsV1().Events(e.namespace).Delete(e.Context(), name, metav1.DeleteOptions{}); err != nil {
		e.Fatal(err)
	}
}

// expect waits for a trigger's events and compares them, as "type name count".
func (e env) expect(p *sources.Process, trigger string, want ...string) {
	e.Helper()
	got := []string{}
	for _, ev := range p.WaitForEvents(trigger, len(want)) {
		got = append(got, fmt.Sprintf("%s %s %d", ev.Type, ev.Data["metadata"].(map[string]any)["name"], ev.Data["count"]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		e.Errorf("%s: %s", trigger, diff)
	}
}

func TestEvents(t *testing.T) {
	e := newEnv(t, map[string]string{
		"first":      "{namespace: %s}",
		"every":      "{namespace: %s, repeat: every}",
		"reasons":    "{namespace: %s, reason: [BackOff, Pulled]}",
		"reason":     "{namespace: %s, reason: [BackOff]}",
		"warning":    "{namespace: %s, type: Warning}",
		"deployment": "{namespace: %s, regarding: {kind: Deployment}, repeat: every}",
		"apps":       "{namespace: %s, regarding: {apiVersion: apps/v1}}",
		"named":      "{namespace: %s, regarding: {name: b}, repeat: every}",
		"elsewhere":  "{namespace: %s-else}",
	})
	e.report("old", "BackOff", "Warning")
	p := e.program.Start(t)
	e.report("a", "BackOff", "Warning")
	e.repeat("a", 2)
	e.repeat("a", 5)
	e.repeat("a", 5)                                                                // the API server ignores it
	e.patch("a", `{"metadata": {"annotations": {"a": "b"}}}`)                       // not a repetition
	e.patch("a", `{"series": {"lastObservedTime": "2026-11-24T10:00:01.000000Z"}}`) // the count is equal
	e.report("b", "Pulled", "Normal")
	e.report("c", "Killing", "Normal")
	e.reportCoreV1("d", 3)
	e.repeat("b", 2)
	e.repeat("old", 2)
	e.delete("a") // as after its TTL
	e.report("a", "BackOff", "Warning")
	e.report("end", "BackOff", "Warning")
	e.report("end-named", "End", "Normal")
	e.expect(p, "first", "create a 1", "create b 1", "create c 1", "create d 1", "create a 1", "create end 1", "create end-named 1")
	e.expect(p, "every", "create a 1", "update a 2", "update a 5", "create b 1", "create c 1",
		"create d 1", "update d 2", "update d 3", "update b 2", "update old 2", "create a 1", "create end 1", "create end-named 1")
	e.expect(p, "reasons", "create a 1", "create b 1", "create a 1", "create end 1")
	e.expect(p, "reason", "create a 1", "create a 1", "create end 1")
	e.expect(p, "warning", "create a 1", "create a 1", "create end 1")
	e.expect(p, "deployment", "create d 1", "update d 2", "update d 3")
	e.expect(p, "apps", "create d 1")
	e.expect(p, "named", "create b 1", "update b 2")
	if got := p.Events("elsewhere"); len(got) > 0 {
		t.Errorf("got %v from another namespace", got)
	}
	ev := p.Events("first")[0]
	if ev.Source != k8sevent.Type || ev.Type != event.Create || ev.Data["apiVersion"] != "events.k8s.io/v1" || ev.Data["reason"] != "BackOff" {
		t.Errorf("got %+v", ev)
	}
}

// TestRestart emits events for Events that were created or repeated while no process
// ran, whether the API server has the history of that time or not.
func TestRestart(t *testing.T) {
	for name, expired := range map[string]bool{"history": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, map[string]string{"first": "{namespace: %s}", "every": "{namespace: %s, repeat: every}"}, cluster.Own())
			e.report("same", "BackOff", "Warning")
			e.report("old", "BackOff", "Warning")
			p := e.program.Start(t)
			e.report("a", "BackOff", "Warning")
			e.repeat("a", 2)
			e.report("gone", "BackOff", "Warning")
			p.WaitForEvents("every", 3)
			p.Stop()
			e.patch("a", `{"metadata": {"annotations": {"a": "b"}}}`)
			e.repeat("old", 3)
			e.patch("same", `{"metadata": {"annotations": {"a": "b"}}}`)
			e.delete("gone")
			e.report("new", "BackOff", "Warning")
			if expired {
				e.cluster.Expire(t)
			}
			p = e.program.Start(t)
			e.report("z", "End", "Normal")
			e.expect(p, "first", "create new 1", "create z 1")
			if expired { // a list is ordered by name
				e.expect(p, "every", "create new 1", "update old 3", "create z 1")
			} else {
				e.expect(p, "every", "update old 3", "create new 1", "create z 1")
			}
		})
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		// The shared cluster's clients and supervisor live as long as the process.
		if err := goleak.Find(
			goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
			goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"),
		); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
