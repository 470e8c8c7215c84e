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

package resource

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// newTestTracker returns a tracker of ConfigMaps that has the object a with the UID u at
// version 5, and a tombstone of the object gone at version 6. It tracks data.v.
func newTestTracker(t *testing.T, derived *DerivedSource) *tracker {
	t.Helper()
	path, err := source.ParsePath("data.v")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Clock: clocktesting.NewFakeClock(time.Unix(0, 0))}
	q := query{kind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}}
	tr := newTracker(o, q, derived, []subscription{{trigger: source.Spec{OnChange: []source.Path{path}}}})
	d := tr.apply(existing, testObject("a", "u", "5", "x"))
	tr.commit(&d)
	tr.restore("gone", *newTombstone(6))
	return tr
}

func testObject(name, uid, resourceVersion, value string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": name, "uid": uid, "resourceVersion": resourceVersion},
		"data":     map[string]any{"v": value},
	}}
}

// describe returns the events, the saved versions and the new state of the deltas of an
// object, until it is not replaced.
func describe(tr *tracker, how observation, o *unstructured.Unstructured) []string {
	var out []string
	for {
		d := tr.apply(how, o)
		text := d.event.Type
		if d.irrelevant {
			text += " irrelevant"
		}
		if len(d.delivery.Unchanged) > 0 {
			text += fmt.Sprint(" unchanged ", d.delivery.Unchanged)
		}
		if d.update.object != nil {
			text += " save " + d.update.object.resourceVersion
		}
		if d.update.deletedAt != 0 {
			text += " deleted at " + d.update.deletedAt.String()
		}
		tr.commit(&d)
		out = append(out, text)
		if !d.replaced {
			known, ok := tr.inventory.entries[o.GetName()]
			return append(out, fmt.Sprint(known.version, ok))
		}
	}
}

func TestTracker_Apply(t *testing.T) {
	for _, tc := range []struct {
		name   string
		how    observation
		object *unstructured.Unstructured
		want   []string
	}{
		{"existing/new", existing, testObject("b", "w", "7", "x"), []string{" save 7", "7 true"}},
		{"existing/replaced", existing, testObject("a", "w", "7", "x"), []string{"delete", " save 7", "7 true"}},
		{"at-position/known", atPosition, testObject("a", "u", "5", "x"), []string{"", "5 true"}},
		{"at-position/later", atPosition, testObject("a", "u", "7", "x"), []string{"", "5 true"}},
		{"at-position/unknown", atPosition, testObject("b", "w", "7", "x"), []string{"", "0 false"}},
		{"listed/new", listed, testObject("b", "w", "7", "x"), []string{"create save 7", "7 true"}},
		{"listed/same", listed, testObject("a", "u", "5", "x"), []string{"", "5 true"}},
		{"listed/changed", listed, testObject("a", "u", "7", "y"), []string{"update save 7", "7 true"}},
		{"listed/older", listed, testObject("a", "u", "4", "y"), []string{"update save 4", "4 true"}},
		{"listed/replaced", listed, testObject("a", "w", "7", "y"), []string{"delete", "create save 7", "7 true"}},
		{"modified/new", modified, testObject("b", "w", "7", "x"), []string{"create save 7", "7 true"}},
		{"modified/same", modified, testObject("a", "u", "5", "x"), []string{"", "5 true"}},
		{"modified/repeated", modified, testObject("a", "u", "4", "y"), []string{"", "5 true"}},
		{"modified/unchanged", modified, testObject("a", "u", "7", "x"), []string{"update unchanged [data.v] save 7", "7 true"}},
		{"modified/replaced", modified, testObject("a", "w", "7", "x"), []string{"delete", "create save 7", "7 true"}},
		{"modified/tombstone", modified, testObject("gone", "w", "6", "x"), []string{"", "0 false"}},
		{"modified/after-tombstone", modified, testObject("gone", "w", "7", "x"), []string{"create save 7", "7 true"}},
		{"deleted/known", deleted, testObject("a", "u", "7", "x"), []string{"delete deleted at 7", "0 false"}},
		{"deleted/repeated", deleted, testObject("a", "u", "4", "x"), []string{"", "5 true"}},
		{"deleted/other", deleted, testObject("a", "w", "7", "x"), []string{"", "5 true"}},
		{"deleted/unknown", deleted, testObject("b", "w", "7", "x"), []string{"", "0 false"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, describe(newTestTracker(t, nil), tc.how, tc.object)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The field state of a restored object is unknown until it is observed at its position.
func TestTracker_Restore(t *testing.T) {
	tr := newTestTracker(t, nil)
	tr.restore("b", savedObject{uid: "w", resourceVersion: "7"})
	if tr.complete() {
		t.Error("complete before the object was observed")
	}
	if diff := cmp.Diff([]string{" save 7", "7 true"}, describe(tr, atPosition, testObject("b", "w", "7", "x"))); diff != "" {
		t.Error(diff)
	}
	if !tr.complete() {
		t.Error("not complete after the object was observed")
	}
}

func TestTracker_Vanish(t *testing.T) {
	tr := newTestTracker(t, nil)
	d := tr.vanish("a")
	if d.event.Type != event.Delete || d.event.Key != "a" || !tr.keys()["a"] {
		t.Errorf("delta %+v", d)
	}
	if tr.commit(&d); tr.size() != 0 {
		t.Errorf("%d objects after the deletion was committed", tr.size())
	}
}

func TestTracker_Derived(t *testing.T) {
	tr := newTestTracker(t, &DerivedSource{
		Type:  "derived",
		State: func(_ []byte, object map[string]any) []byte { return fmt.Append([]byte{}, object["data"]) },
		Derive: func(before, now []byte, _ map[string]any) (map[string]any, bool) {
			return map[string]any{"before": string(before), "now": string(now)}, string(before) != string(now)
		},
	})
	if diff := cmp.Diff([]string{"update irrelevant unchanged [data.v] save 6", "6 true"}, describe(tr, modified, testObject("a", "u", "6", "x"))); diff != "" {
		t.Error(diff)
	}
	d := tr.apply(modified, testObject("a", "u", "7", "y"))
	if diff := cmp.Diff(map[string]any{"before": "map[v:x]", "now": "map[v:y]"}, d.event.Data); diff != "" || d.event.Source != "derived" {
		t.Errorf("source %s: %s", d.event.Source, diff)
	}
	if d := tr.apply(deleted, testObject("a", "u", "8", "y")); !d.irrelevant {
		t.Error("a deletion is an event of the derived source")
	}
}
