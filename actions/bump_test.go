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
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// bumpedFor is the annotation with the causes of bumps.
const bumpedFor = "trigger.oam.dev/bumped-for"

// bump returns the action bump-application-revision of a trigger, for the Application web.
func (e env) bump(t *testing.T) compiled {
	t.Helper()
	return e.action(t, connect(t, e.Config), "bump-application-revision", map[string]any{"namespace": e.namespace, "nameSelector": map[string]any{"name": "web"}})
}

// version returns the version of the Application web; 0 before the first bump.
func (e env) version(t *testing.T) int {
	t.Helper()
	annotations := e.get(t, e.newObject("core.oam.dev/v1beta1", "Application", "web")).GetAnnotations()
	n, err := strconv.Atoi("0" + annotations[version])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// edited returns the event of a change of an object.
func edited(kind, id string) event.Event {
	return event.Event{Source: "resource-watcher", Type: kind, ID: id, Data: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "settings"},
	}}
}

// TestBumpApplicationRevision_Causes: triggers of several TriggerServices, which handle the
// same events, bump once per cause.
func TestBumpApplicationRevision_Causes(t *testing.T) {
	grouped := func(e event.Event, others ...event.Event) event.Event {
		e.Batch = event.NewBatch(e)
		for i, o := range others {
			o.Key = fmt.Sprint(i)
			e.Batch.Add(o)
		}
		return e
	}
	a, b, c := edited(event.Update, "a@1"), edited(event.Update, "b@2"), edited(event.Update, "c@3")
	for name, tc := range map[string]struct {
		events []event.Event
		want   []int
	}{
		"one edit, three triggers":    {[]event.Event{a, a, a}, []int{1, 1, 1}},
		"two edits":                   {[]event.Event{a, edited(event.Update, "a@2"), a, edited(event.Update, "a@2")}, []int{1, 2, 2, 2}},
		"another cluster":             {[]event.Event{a, edited(event.Update, "east//a@1"), a}, []int{1, 2, 2}},
		"listed and created":          {[]event.Event{edited(event.Sync, "a@1"), edited(event.Create, "a@1")}, []int{1, 1}},
		"deleted after":               {[]event.Event{a, edited(event.Delete, "a@1/delete")}, []int{1, 2}},
		"one deletion, seen in two":   {[]event.Event{edited(event.Delete, "a@1/delete"), edited(event.Delete, "a@7/delete"), edited(event.Delete, "east//a@7/delete")}, []int{1, 1, 2}},
		"without an ID":               {[]event.Event{edited(event.Update, ""), edited(event.Update, "")}, []int{1, 2}},
		"one request, sent twice":     {[]event.Event{edited("request", "webhook/ns/a/1"), edited("request", "webhook/ns/b/1"), edited("request", "webhook/ns/a/1")}, []int{1, 2, 2}},
		"ticks":                       {[]event.Event{edited("tick", "cronjob/ns/a@2026-01-01T00:00:00Z"), edited("tick", "cronjob/ns/b@2026-01-01T00:00:00Z")}, []int{1, 2}},
		"a group, then its events":    {[]event.Event{grouped(a, b, c), a, b, c}, []int{1, 1, 1, 1}},
		"the events, then a group":    {[]event.Event{a, b, grouped(b, a)}, []int{1, 2, 2}},
		"a group with another event":  {[]event.Event{a, b, grouped(b, c)}, []int{1, 2, 3}},
		"the last event of a group":   {[]event.Event{c, grouped(c, a), a}, []int{1, 2, 2}},
		"a group of a deletion, seen": {[]event.Event{edited(event.Delete, "a@1/delete"), grouped(edited(event.Delete, "a@3/delete"))}, []int{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			e.create(t, "core.oam.dev/v1beta1", "Application", "web", nil)
			for i, ev := range tc.events {
				other := e
				other.namespace = fmt.Sprint("team-", i) // of another TriggerService
				act := other.action(t, e.Client, "bump-application-revision", map[string]any{"namespace": e.namespace, "nameSelector": map[string]any{"name": "web"}})
				before := e.version(t)
				if tc.want[i] == before {
					wantUnchanged(t, act, ev, provider.ReasonUnchanged)
				} else {
					wantChanged(t, act, ev)
				}
				if got := e.version(t); got != tc.want[i] {
					t.Errorf("version %d after event %d, want %d", got, i, tc.want[i])
				}
			}
		})
	}
}

// TestBumpApplicationRevision_Workers: workers that handle the same events at once, each
// with connections of its own, bump once per event.
func TestBumpApplicationRevision_Workers(t *testing.T) {
	e := start(t)
	e.create(t, "core.oam.dev/v1beta1", "Application", "web", nil)
	const edits, workers = 10, 4
	var wg sync.WaitGroup
	for range workers {
		act := e.bump(t)
		wg.Go(func() {
			for n := range edits {
				// Conflicts are retried, as the engine does.
				err := act.Run(t.Context(), edited(event.Update, fmt.Sprint("a@", n)))
				for err != nil && !action.IsTerminal(err) && t.Context().Err() == nil {
					err = act.Run(t.Context(), edited(event.Update, fmt.Sprint("a@", n)))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := e.version(t); got != edits {
		t.Errorf("version %d after %d edits", got, edits)
	}
}

// TestBumpApplicationRevision_Bound: the annotation holds the last 64 causes, also of a
// group, and a larger group is not repeated. What an older version wrote into it is replaced.
func TestBumpApplicationRevision_Bound(t *testing.T) {
	const limit = 64
	e := start(t)
	app := e.create(t, "core.oam.dev/v1beta1", "Application", "web", map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{bumpedFor: "c1/edits 8a1c7c6e-52a4-4a0b-8f7c-0d2a5a0d4c11@12", version: "0"}},
	})
	act := e.bump(t)
	causes := func() []string { return strings.Fields(e.get(t, app).GetAnnotations()[bumpedFor]) }
	for n := range limit + 2 {
		wantChanged(t, act, edited(event.Update, fmt.Sprint("a@", n)))
		if got, want := len(causes()), min(n+1, limit); got != want {
			t.Fatalf("%d causes after %d bumps, want %d: %v", got, n+1, want, causes())
		}
	}
	if text := e.get(t, app).GetAnnotations()[bumpedFor]; len(text) > 831 {
		t.Errorf("the annotation has %d bytes: %s", len(text), text)
	}
	wantUnchanged(t, act, edited(event.Update, "a@2"), provider.ReasonUnchanged)
	wantChanged(t, act, edited(event.Update, "a@1"))

	group := edited(event.Update, "g@0")
	group.Batch = event.NewBatch(group)
	for n := range 3 * limit {
		item := edited(event.Update, fmt.Sprint("g@", n))
		item.Key = fmt.Sprint(n)
		group.Batch.Add(item)
	}
	wantChanged(t, act, group)
	wantUnchanged(t, act, group, provider.ReasonUnchanged)
	if got := len(causes()); got != limit {
		t.Errorf("%d causes after a group", got)
	}
}

// TestBumpApplicationRevision_Several: each selected Application remembers its own causes.
func TestBumpApplicationRevision_Several(t *testing.T) {
	e := start(t)
	var apps []*unstructured.Unstructured
	for _, name := range []string{"web-1", "web-2"} {
		apps = append(apps, e.create(t, "core.oam.dev/v1beta1", "Application", name, nil))
	}
	for _, pattern := range []string{"^web-1$", "^web-"} {
		wantChanged(t, e.action(t, e.Client, "bump-application-revision", map[string]any{"nameSelector": map[string]any{"pattern": pattern}}), edited(event.Update, "a@1"))
	}
	for _, app := range apps {
		if v := e.get(t, app).GetAnnotations()[version]; v != "1" {
			t.Errorf("version of %s: %s", app.GetName(), v)
		}
	}
}
