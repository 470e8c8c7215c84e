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

// env is a namespace of a cluster in which a test reports Events.
type env struct {
	*testing.T
	cluster   *cluster.Cluster
	client    kubernetes.Interface
	namespace string
	program   sources.Program
}

// newEnv returns a bed with triggers. In their properties, %s is the namespace.
func newEnv(t *testing.T, triggers map[string]string, opts ...cluster.Option) env {
	t.Helper()
	c := cluster.Start(t, opts...)
	namespace := c.Namespace(t)
	given := map[string]string{}
	for name, properties := range triggers {
		given[name] = fmt.Sprintf(properties, namespace)
	}
	return env{t, c, c.Client(t), namespace, sources.Program{
		Config: c.Config, New: k8sevent.New, Folder: t.TempDir(), Triggers: given,
	}}
}

// report reports something of a Pod, as recorders of events.k8s.io do.
func (b env) report(name, reason, kind string) {
	b.Helper()
	_, err := b.client.EventsV1().Events(b.namespace).Create(b.Context(), &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		EventTime:  metav1.NewMicroTime(time.Now()), Reason: reason, Type: kind, Action: "Test",
		ReportingController: "example.com/test", ReportingInstance: "test-0",
		Regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: b.namespace, Name: name},
	}, metav1.CreateOptions{})
	if err != nil {
		b.Fatal(err)
	}
}

// repeat says that an Event was repeated.
func (b env) repeat(name string, count int) {
	b.Helper()
	b.patch(name, fmt.Sprintf(`{"series": {"count": %d, "lastObservedTime": "2026-11-24T10:00:00.000000Z"}}`, count))
}

func (b env) patch(name, patch string) {
	b.Helper()
	_, err := b.client.EventsV1().Events(b.namespace).Patch(b.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		b.Fatal(err)
	}
}

// reportCoreV1 reports something of a Deployment, as recorders of v1 do, count times.
func (b env) reportCoreV1(name string, count int32) {
	b.Helper()
	events := b.client.CoreV1().Events(b.namespace)
	made, err := events.Create(b.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Reason: "ScalingReplicaSet", Type: "Normal", Count: 1,
		InvolvedObject: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.namespace, Name: name},
	}, metav1.CreateOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for made.Count < count {
		made.Count++
		if made, err = events.Update(b.Context(), made, metav1.UpdateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func (b env) delete(name string) {
	b.Helper()
	if err := b.client.EventsV1().Events(b.namespace).Delete(b.Context(), name, metav1.DeleteOptions{}); err != nil {
		b.Fatal(err)
	}
}

// expect waits for a trigger's last event, and compares all: as "type name count".
func (b env) expect(p *sources.Process, trigger string, want ...string) {
	b.Helper()
	got := []string{}
	for _, ev := range p.Until(trigger, len(want)) {
		got = append(got, fmt.Sprintf("%s %s %d", ev.Type, ev.Data["metadata"].(map[string]any)["name"], ev.Data["count"]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s: %s", trigger, diff)
	}
}

func TestReported(t *testing.T) {
	b := newEnv(t, map[string]string{
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
	b.report("old", "BackOff", "Warning")
	p := b.program.Start(t)
	b.report("a", "BackOff", "Warning")
	b.repeat("a", 2)
	b.repeat("a", 5)
	b.repeat("a", 5)                                                                // the API server drops it
	b.patch("a", `{"metadata": {"annotations": {"a": "b"}}}`)                       // not repeated
	b.patch("a", `{"series": {"lastObservedTime": "2026-11-24T10:00:01.000000Z"}}`) // nor so
	b.report("b", "Pulled", "Normal")
	b.report("c", "Killing", "Normal")
	b.reportCoreV1("d", 3)
	b.repeat("b", 2)
	b.repeat("old", 2)
	b.delete("a") // as after its time to live
	b.report("a", "BackOff", "Warning")
	b.report("end", "BackOff", "Warning")
	b.report("end-named", "End", "Normal")
	b.expect(p, "first", "create a 1", "create b 1", "create c 1", "create d 1", "create a 1", "create end 1", "create end-named 1")
	b.expect(p, "every", "create a 1", "update a 2", "update a 5", "create b 1", "create c 1",
		"create d 1", "update d 2", "update d 3", "update b 2", "update old 2", "create a 1", "create end 1", "create end-named 1")
	b.expect(p, "reasons", "create a 1", "create b 1", "create a 1", "create end 1")
	b.expect(p, "reason", "create a 1", "create a 1", "create end 1")
	b.expect(p, "warning", "create a 1", "create a 1", "create end 1")
	b.expect(p, "deployment", "create d 1", "update d 2", "update d 3")
	b.expect(p, "apps", "create d 1")
	b.expect(p, "named", "create b 1", "update b 2")
	if got := p.Taken("elsewhere"); len(got) > 0 {
		t.Errorf("got %v of another namespace", got)
	}
	ev := p.Taken("first")[0]
	if ev.Source != k8sevent.Type || ev.Type != event.Create || ev.Data["apiVersion"] != "events.k8s.io/v1" || ev.Data["reason"] != "BackOff" {
		t.Errorf("got %+v", ev)
	}
}

// TestRestart finds what was reported while no process ran: where the API server
// has the history of that, and where it has not.
func TestRestart(t *testing.T) {
	for name, expired := range map[string]bool{"history": false, "no history": true} {
		t.Run(name, func(t *testing.T) {
			b := newEnv(t, map[string]string{"first": "{namespace: %s}", "every": "{namespace: %s, repeat: every}"}, cluster.Own())
			b.report("same", "BackOff", "Warning")
			b.report("old", "BackOff", "Warning")
			p := b.program.Start(t)
			b.report("a", "BackOff", "Warning")
			b.repeat("a", 2)
			b.report("gone", "BackOff", "Warning")
			p.Until("every", 3)
			p.Stop()
			b.patch("a", `{"metadata": {"annotations": {"a": "b"}}}`)
			b.repeat("old", 3)
			b.patch("same", `{"metadata": {"annotations": {"a": "b"}}}`)
			b.delete("gone")
			b.report("new", "BackOff", "Warning")
			if expired {
				b.cluster.Expire(t)
			}
			p = b.program.Start(t)
			b.report("z", "End", "Normal")
			b.expect(p, "first", "create new 1", "create z 1")
			if expired { // what a list shows is in the order of names
				b.expect(p, "every", "create new 1", "update old 3", "create z 1")
			} else {
				b.expect(p, "every", "update old 3", "create new 1", "create z 1")
			}
		})
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		// The shared cluster's clients and supervisor last as long as the process.
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
