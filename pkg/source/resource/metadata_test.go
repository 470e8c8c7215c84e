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

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// metadataTrigger returns a trigger that needs the metadata of the ConfigMaps of the namespace
// only.
func (e env) metadataTrigger(name, more string) triggerSpec {
	t := e.trigger(name, more)
	t.trigger.MetadataOnly = true
	return t
}

const allTypes = `, "events": ["create", "update", "delete", "sync"]`

// metadataData returns the data of events as watches of metadata have it.
func metadataData(events []event.Event) []map[string]any {
	var out []map[string]any
	for _, ev := range events {
		out = append(out, map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": ev.Data["metadata"]})
	}
	return out
}

func dataOf(events []event.Event) []map[string]any {
	var out []map[string]any
	for _, ev := range events {
		out = append(out, ev.Data)
	}
	return out
}

// TestMetadata compares a watch of metadata with one of whole objects: they have the same events,
// with equal metadata, writers and fields of before, and the first one requests no whole object.
func TestMetadata(t *testing.T) {
	e := newEnv(t)
	label := source.Path{"metadata", "labels"}
	specs := []triggerSpec{e.trigger("t", allTypes)}
	specs[0].trigger.Old, specs[0].trigger.OnChange = references(t, "context.old.metadata.labels"), []source.Path{label}
	e.create("existing", map[string]string{"a": "0"})
	whole := newSharedHarness(t, e.config, specs)
	specs[0].trigger.MetadataOnly = true
	h := newSharedHarness(t, e.config, specs)
	for _, h := range []*harness{whole, h} {
		h.run()
		h.waitForWatch()
		h.waitForEvents(1)
	}
	write := func(n string) {
		e.create("a"+n, map[string]string{"a": "b"})
		e.update("existing", `{"metadata": {"labels": {"a": "`+n+`"}}}`)
		e.update("existing", `{"data": {"n": "`+n+`"}}`)
		e.delete("a" + n)
	}
	write("1")
	for _, h := range []*harness{whole, h} {
		h.waitForEvents(5)
		h.transport.respondNext(true, http.StatusGone, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}`)
		h.stop()
	}
	e.create("later", map[string]string{"a": "c"})
	e.update("existing", `{"metadata": {"labels": {"a": "x"}}}`)
	for _, h := range []*harness{whole, h} { // lists again
		h.run()
		h.waitForEvents(7)
		h.waitForWatch()
	}
	write("2")
	want, got := whole.waitForEvents(11), h.waitForEvents(11)
	if diff := cmp.Diff(metadataData(want), dataOf(got)); diff != "" {
		t.Error(diff)
	}
	events, deliveries := h.delivered()
	for i := range want {
		want[i].Data, want[i].Time = got[i].Data, got[i].Time
		if deliveries[i].Writer != whole.deliveries[i].Writer || fmt.Sprint(deliveries[i].Unchanged) != fmt.Sprint(whole.deliveries[i].Unchanged) || !deliveries[i].MetadataOnly || whole.deliveries[i].MetadataOnly {
			t.Errorf("event %d: delivery %+v, want that of %+v", i, deliveries[i], whole.deliveries[i])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, d := range deliveries {
		if data, latest, err := d.Reload(t.Context()); err != nil || latest {
			t.Errorf("reload: latest=%v, error %v", latest, err)
		} else if diff := cmp.Diff(events[i].Data, data); diff != "" {
			t.Errorf("reload: %s", diff)
		}
	}
	if n := h.transport.wholeRequests(); n != 0 {
		t.Errorf("%d requests for whole objects", n)
	}
}

// TestMetadata_Needed: whole objects are watched as soon as one trigger needs more than metadata.
func TestMetadata_Needed(t *testing.T) {
	t.Parallel()
	metadata := source.Path{"metadata", "labels"}
	for name, tc := range map[string]struct {
		properties string
		spec       source.Spec
		want       bool
	}{
		"metadata":         {`{"apiVersion": "v1", "kind": "Pod"}`, source.Spec{MetadataOnly: true}, true},
		"more":             {`{"apiVersion": "v1", "kind": "Pod"}`, source.Spec{}, false},
		"old metadata":     {`{"apiVersion": "v1", "kind": "Pod"}`, source.Spec{MetadataOnly: true, Old: references(t, "context.old.metadata"), OnChange: []source.Path{metadata}}, true},
		"old":              {`{"apiVersion": "v1", "kind": "Pod"}`, source.Spec{MetadataOnly: true, Old: references(t, "context.old.spec")}, false},
		"all of old":       {`{"apiVersion": "v1", "kind": "Pod"}`, source.Spec{MetadataOnly: true, Old: references(t, "context.old")}, false},
		"onChange":         {`{"apiVersion": "v1", "kind": "Pod"}`, source.Spec{MetadataOnly: true, OnChange: []source.Path{metadata, {"data"}}}, false},
		"Secret":           {`{"apiVersion": "v1", "kind": "Secret"}`, source.Spec{MetadataOnly: true}, false},
		"Event":            {`{"apiVersion": "events.k8s.io/v1", "kind": "Event"}`, source.Spec{MetadataOnly: true}, false},
		"a kind of others": {`{"apiVersion": "example.com/v1", "kind": "Secret"}`, source.Spec{MetadataOnly: true}, true},
	} {
		sub, list := compileSpec(t, tc.properties, tc.spec)
		if len(list) > 0 {
			t.Fatal(list)
		}
		m, ok := sub.(source.MetadataSubscription)
		if !ok || m.MetadataOnly() != tc.want {
			t.Errorf("%s: %v, want %v", name, !tc.want, tc.want)
		}
		if whole, ok := m.Whole().(source.MetadataSubscription); !ok || whole.MetadataOnly() {
			t.Errorf("%s: not whole", name)
		}
	}
}

// TestMetadata_Reopened changes the triggers of a watch across restarts, so that they need more and
// less: no event is lost or repeated, and data is complete where it is needed.
func TestMetadata_Reopened(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	lean, full := e.metadataTrigger("lean", ""), e.trigger("full", "")
	full.trigger.Old, full.trigger.OnChange = references(t, "context.old.data"), []source.Path{{"data"}}
	e.create("a", nil)
	n := 0
	for i, specs := range [][]triggerSpec{{lean}, {lean, full}, {lean}, {full}, {lean}} {
		var want []string
		if i > 0 { // while no process runs
			n++
			e.update("a", fmt.Sprintf(`{"data": {"n": "%d"}}`, n))
			want = append(want, "update a")
		}
		p := e.startProcess(store, specs)
		for range 2 {
			n++
			e.update("a", fmt.Sprintf(`{"data": {"n": "%d"}}`, n))
			want = append(want, "update a")
		}
		got := p.waitForEvents(len(want))
		e.want(got, want...)
		if n := p.transport.listedPages(); i == 0 && n == 0 || i > 0 && len(specs) == 1 && specs[0].trigger.MetadataOnly && n > 0 {
			t.Errorf("process %d listed %d pages", i, n)
		}
		for j, ev := range got {
			data, _ := ev.Data["data"].(map[string]any)
			if number := fmt.Sprint(n - len(got) + j + 1); len(specs) > 1 || !specs[0].trigger.MetadataOnly {
				if data["n"] != number {
					t.Errorf("process %d: got %v, want %s", i, data, number)
				}
				before, _ := ev.Old["data"].(map[string]any)
				if before == nil {
					t.Errorf("process %d: event %d has no data of before", i, j)
				}
			} else if data != nil {
				t.Errorf("process %d: got data", i)
			}
		}
		p.kill()
	}
}

// TestMetadata_Streams: a watch of metadata reads the stream of one of whole objects.
func TestMetadata_Streams(t *testing.T) {
	e := newEnv(t)
	s := &resource.Streams{}
	properties := func(metadataOnly bool) []triggerSpec {
		return []triggerSpec{{source.Spec{MetadataOnly: metadataOnly}, fmt.Sprintf(`{"apiVersion": "v1", "kind": "PodTemplate", "namespace": %q}`, e.namespace)}}
	}
	template := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	template.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: "i"}}
	create := func(name string) {
		template.Name = name
		if _, err := e.client.CoreV1().PodTemplates(e.namespace).Create(t.Context(), template, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var all []*harness
	for _, metadataOnly := range []bool{true, false, true} { // the first has a stream of its own, until it has caught up
		h := newSharedHarness(t, e.config, properties(metadataOnly), sharing(s, "a"))
		h.runAndWait()
		all = append(all, h)
	}
	for i, name := range []string{"a", "b", "c"} {
		create(name)
		for _, h := range all {
			h.waitForEvents(i + 1)
		}
	}
	cluster.WaitForWatches(t, e.client, "podtemplates", 1)
	for i, h := range all {
		e.want(h.received(), "create a", "create b", "create c")
		for _, ev := range h.received() {
			if _, whole := ev.Data["template"]; whole != (i == 1) || ev.Data["kind"] != "PodTemplate" || ev.Data["apiVersion"] != "v1" {
				t.Errorf("watch %d: %v", i, ev.Data)
			}
		}
	}
	all[1].stop()
	create("d") // by a stream of metadata again, or by the old one
	for _, h := range []*harness{all[0], all[2]} {
		e.want(h.waitForEvents(4), "create a", "create b", "create c", "create d")
	}
}

// TestMetadata_Unsupported: an API server that has only whole objects, or refuses others, makes the
// same events.
func TestMetadata_Unsupported(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		t.Run(fmt.Sprintf("refuses=%v", refuses), func(t *testing.T) {
			e := newEnv(t)
			e.create("existing", nil)
			h := newSharedHarness(t, e.config, []triggerSpec{e.metadataTrigger("t", allTypes)})
			h.transport.next = wholeOnly{h.transport.next, refuses}
			h.run()
			h.waitForWatch()
			e.create("a", nil)
			e.update("a", `{"data": {"n": "1"}}`)
			got := h.waitForEvents(3)
			e.want(got, "sync existing", "create a", "update a")
			if diff := cmp.Diff(metadataData(got), dataOf(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// wholeOnly is the transport to an API server that sends whole objects only.
type wholeOnly struct {
	http.RoundTripper
	refuses bool
}

func (w wholeOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata") {
		if w.refuses {
			return &http.Response{StatusCode: http.StatusNotAcceptable, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}
		r = r.Clone(r.Context())
		r.Header.Set("Accept", "application/json")
	}
	return w.RoundTripper.RoundTrip(r)
}
