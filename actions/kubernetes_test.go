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

package actions_test

import (
	"crypto/rand"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// updateOf returns an update event of an object.
func updateOf(o *unstructured.Unstructured) event.Event {
	return event.Event{Source: "resource-watcher", Type: event.Update, ID: string(o.GetUID()) + "/" + o.GetResourceVersion(), Data: o.Object}
}

// another returns an update event of an object that differs from all others.
func another(o *unstructured.Unstructured) event.Event {
	ev := updateOf(o)
	ev.ID += "/" + rand.Text()
	return ev
}

// run runs a built-in action once.
func (e env) run(t *testing.T, name string, properties map[string]any, ev event.Event) error {
	t.Helper()
	return e.action(t, e.Client, name, properties).Run(t.Context(), ev)
}

func (e env) mustRun(t *testing.T, name string, properties map[string]any, ev event.Event) {
	t.Helper()
	if err := e.run(t, name, properties, ev); err != nil {
		t.Fatal(err)
	}
}

// list returns the objects of a kind in the test's namespace.
func (e env) list(t *testing.T, apiVersion, kind string) []unstructured.Unstructured {
	t.Helper()
	var list unstructured.UnstructuredList
	list.SetAPIVersion(apiVersion)
	list.SetKind(kind + "List")
	if err := e.List(t.Context(), &list, client.InNamespace(e.namespace)); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (e env) deployment(t *testing.T, name string, replicas int64) *unstructured.Unstructured {
	t.Helper()
	labels := map[string]any{"app": "web"}
	d := e.create(t, "apps/v1", "Deployment", name, map[string]any{"spec": map[string]any{
		"replicas": replicas,
		"selector": map[string]any{"matchLabels": labels},
		"template": map[string]any{
			"metadata": map[string]any{"labels": labels},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": "web", "image": "web:1"}}},
		},
	}})
	d.SetLabels(map[string]string{"app": "web"})
	if err := e.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func field[T any](t *testing.T, o *unstructured.Unstructured, path ...string) T {
	t.Helper()
	v, _, err := unstructured.NestedFieldNoCopy(o.Object, path...)
	typed, ok := v.(T)
	if err != nil || !ok {
		t.Fatalf("%s is %v (%v)", strings.Join(path, "."), v, err)
	}
	return typed
}

// TestApplyResource creates and updates namespaced and cluster-scoped objects, without
// changing fields of other owners.
func TestApplyResource(t *testing.T) {
	e := start(t)
	role := "made-by-" + e.namespace
	properties := map[string]any{"resources": []any{
		map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "made"}, "data": map[string]any{"a": "1"}},
		map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": map[string]any{"name": role}},
	}}
	e.mustRun(t, "apply-resource", properties, e.event("x"))
	made := e.get(t, e.newObject("v1", "ConfigMap", "made"))
	made.Object["data"].(map[string]any)["b"] = "theirs"
	if err := e.Update(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	e.mustRun(t, "apply-resource", map[string]any{"resource": map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "made"}, "data": map[string]any{"a": "2"},
	}}, e.event("x"))
	made = e.get(t, made)
	if a, b := field[string](t, made, "data", "a"), field[string](t, made, "data", "b"); a != "2" || b != "theirs" {
		t.Errorf("a is %q and b %q", a, b)
	}
	if r := e.get(t, e.newObject("rbac.authorization.k8s.io/v1", "ClusterRole", role)); r.GetNamespace() != "" {
		t.Errorf("a ClusterRole in namespace %q", r.GetNamespace())
	} else if err := e.Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func (e env) newObject(apiVersion, kind, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	u.SetName(name)
	if kind != "ClusterRole" {
		u.SetNamespace(e.namespace)
	}
	return u
}

// TestDeleteResource deletes one object, also if it does not exist, and objects by label.
func TestDeleteResource(t *testing.T) {
	e := start(t)
	own := e.create(t, "v1", "ConfigMap", "own", nil)
	for range 2 {
		e.mustRun(t, "delete-resource", nil, updateOf(own))
	}
	if err := e.run(t, "delete-resource", map[string]any{"ignoreNotFound": false}, updateOf(own)); !errors.IsNotFound(err) || !action.IsTerminal(err) {
		t.Errorf("got %v, want a terminal not found error", err)
	}
	for _, name := range []string{"a", "b", "kept"} {
		cm := e.create(t, "v1", "ConfigMap", name, nil)
		cm.SetLabels(map[string]string{"old": map[bool]string{true: "no", false: "yes"}[name == "kept"]})
		if err := e.Update(t.Context(), cm); err != nil {
			t.Fatal(err)
		}
	}
	e.mustRun(t, "delete-resource", map[string]any{"matchingLabels": map[string]any{"old": "yes"}}, updateOf(own))
	var remaining []string
	for _, cm := range e.list(t, "v1", "ConfigMap") {
		if cm.GetName() != "kube-root-ca.crt" {
			remaining = append(remaining, cm.GetName())
		}
	}
	if strings.Join(remaining, " ") != "kept" {
		t.Errorf("remaining objects: %v", remaining)
	}
}

// TestRestartWorkload annotates the pod templates of one workload and of workloads by
// label.
func TestRestartWorkload(t *testing.T) {
	e := start(t)
	one, two := e.deployment(t, "one", 1), e.deployment(t, "two", 1)
	restarted := func(d *unstructured.Unstructured) string {
		a, _, _ := unstructured.NestedString(e.get(t, d).Object, "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
		return a
	}
	e.mustRun(t, "restart-workload", nil, updateOf(one))
	if restarted(one) == "" || restarted(two) != "" {
		t.Errorf("restarted at %q and %q", restarted(one), restarted(two))
	}
	e.mustRun(t, "restart-workload", map[string]any{"kind": "Deployment", "matchingLabels": map[string]any{"app": "web"}}, e.event("x"))
	if restarted(two) == "" {
		t.Error("two was not restarted")
	}
}

// TestRestartWorkload_SameSecond: each event restarts the workload, also within one second,
// and a repeated event does not restart it again.
func TestRestartWorkload_SameSecond(t *testing.T) {
	e := start(t)
	d := e.deployment(t, "one", 1)
	ev := updateOf(d)
	ev.Time = time.Unix(1_800_000_000, 0)
	before := e.get(t, d).GetGeneration()
	for n, id := range []string{"a", "b", "b", "c"} {
		ev.ID = id
		e.mustRun(t, "restart-workload", nil, ev)
		if got, want := e.get(t, d).GetGeneration(), before+[]int64{1, 2, 2, 3}[n]; got != want {
			t.Errorf("after event %d: generation %d, want %d", n, got, want)
		}
	}
}

// TestScaleWorkload sets the replicas, and counts each of several concurrent events.
func TestScaleWorkload(t *testing.T) {
	e := start(t)
	d := e.deployment(t, "web", 3)
	e.mustRun(t, "scale-workload", map[string]any{"replicas": int64(0)}, updateOf(d))
	if n := field[int64](t, e.get(t, d), "spec", "replicas"); n != 0 {
		t.Errorf("%d replicas, want 0", n)
	}
	up := e.action(t, e.Client, "scale-workload", map[string]any{"by": int64(1), "max": int64(6)})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2 {
				if err := up.Run(t.Context(), another(d)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := field[int64](t, e.get(t, d), "spec", "replicas"); n != 6 {
		t.Errorf("%d replicas, want 6", n)
	}
}

// TestRunJob creates one Job per event, also if the event is handled repeatedly.
func TestRunJob(t *testing.T) {
	e := start(t)
	cm := e.create(t, "v1", "ConfigMap", "settings", nil)
	job := e.action(t, e.Client, "run-job", map[string]any{"image": "busybox", "cmd": []any{"true"}})
	for range 2 {
		if err := job.Run(t.Context(), updateOf(cm)); err != nil {
			t.Fatal(err)
		}
	}
	other := updateOf(cm)
	other.ID += "-other"
	e.mustRun(t, "task", map[string]any{"image": "busybox", "name": "my-task"}, other)
	jobs := e.list(t, "batch/v1", "Job")
	if len(jobs) != 2 || !strings.HasPrefix(jobs[0].GetName(), "my-task-") || !strings.HasPrefix(jobs[1].GetName(), "trigger-live-") {
		t.Errorf("jobs are %v", jobs)
	}
	run, err := fs.ReadFile(actions.FS, "run-job.cue")
	if err != nil {
		t.Fatal(err)
	}
	if task, err := fs.ReadFile(actions.FS, "task.cue"); err != nil || string(task) != string(run) {
		t.Errorf("task is not run-job (%v)", err)
	}
}

// TestRecordEvent records all of several concurrent events, up to the limit.
func TestRecordEvent(t *testing.T) {
	c := cluster.Start(t, cluster.WithKubeVelaCRDs())
	e := env{Cluster: c, Client: connect(t, c.Config), namespace: c.Namespace(t)}
	cm := e.create(t, "v1", "ConfigMap", "settings", nil)
	for range 2 {
		e.mustRun(t, "create-event-listener", nil, updateOf(cm))
	}
	listener := e.newObject("standard.oam.dev/v1alpha1", "EventListener", "settings")
	if owners := e.get(t, listener).GetOwnerReferences(); len(owners) != 1 || owners[0].UID != cm.GetUID() {
		t.Errorf("owned by %v", owners)
	}
	record := e.action(t, e.Client, "record-event", map[string]any{"data": map[string]any{"note": "x"}})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 3 {
				if err := record.Run(t.Context(), another(cm)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	events := func() []any { return field[[]any](t, e.get(t, listener), "events") }
	if len(events()) != 9 {
		t.Errorf("%d events, want 9", len(events()))
	}
	for range 3 {
		e.mustRun(t, "record-event", nil, another(cm))
	}
	if len(events()) != 10 {
		t.Errorf("%d events, want 10", len(events()))
	}
}

// TestEmitKubernetesEvent creates one Event of the object, also if the trigger's event is
// handled repeatedly.
func TestEmitKubernetesEvent(t *testing.T) {
	e := start(t)
	cm := e.create(t, "v1", "ConfigMap", "settings", nil)
	for range 2 {
		e.mustRun(t, "emit-kubernetes-event", map[string]any{"message": "{{.data.metadata.name}} changed"}, updateOf(cm))
	}
	events := e.list(t, "v1", "Event")
	if len(events) != 1 || field[string](t, &events[0], "message") != "settings changed" || field[string](t, &events[0], "involvedObject", "uid") != string(cm.GetUID()) {
		t.Errorf("events are %v", events)
	}
}

// TestEmitKubernetesEvent_Long cuts long messages.
func TestEmitKubernetesEvent_Long(t *testing.T) {
	e := start(t)
	cm := e.create(t, "v1", "ConfigMap", "settings", map[string]any{"data": map[string]any{"x": strings.Repeat("é", 100_000)}})
	e.mustRun(t, "emit-kubernetes-event", map[string]any{"message": "{{.data.data.x}}"}, updateOf(cm))
	events := e.list(t, "v1", "Event")
	if len(events) != 1 {
		t.Fatalf("%d events, want 1", len(events))
	}
	if message := field[string](t, &events[0], "message"); len(message) > provider.MaxEventMessage || !strings.HasSuffix(message, "é…") {
		t.Errorf("a message of %d bytes", len(message))
	}
}

// TestLog logs the default message and Go templates.
func TestLog(t *testing.T) {
	e := start(t)
	cm := e.create(t, "v1", "ConfigMap", "settings", nil)
	for message, want := range map[string]string{
		"":                            `"message"="update ConfigMap ` + e.namespace + `/settings"`,
		"{{.data.metadata.name}} is!": `"message"="settings is!"`,
	} {
		var lines []string
		ctx := logr.NewContext(t.Context(), funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}))
		if err := e.action(t, e.Client, "log", map[string]any{"message": message}).Run(ctx, updateOf(cm)); err != nil {
			t.Fatal(err)
		}
		if len(lines) != 1 || !strings.Contains(lines[0], want) {
			t.Errorf("got %q, want %s", lines, want)
		}
	}
}
