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

package event_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
)

func TestCauses_With(t *testing.T) {
	c := event.Causes(nil).With("a").With("b")
	if again := c.With("a"); again.Turns("a") != 2 || again.Turns("b") != 1 || again.Turns("c") != 0 {
		t.Errorf("got %v", again)
	}
	if c.Turns("a") != 1 {
		t.Error("With changed its receiver")
	}
}

// TestCauses_Bounded adds more triggers than are kept: the one that is part of a circle
// stays.
func TestCauses_Bounded(t *testing.T) {
	c := event.Causes(nil).With("circle").With("circle")
	for i := range 100 {
		c = c.With(fmt.Sprint(i))
	}
	if len(c) != 32 || c.Turns("circle") != 2 || c.Turns("99") != 1 {
		t.Errorf("got %d causes: %v", len(c), c)
	}
}

func TestParseCauses(t *testing.T) {
	c := event.Causes(nil).With("a").With("b").With("b")
	if diff := cmp.Diff(c, event.ParseCauses(c.String())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for text, want := range map[string]event.Causes{
		"":                             nil,
		"a":                            nil,
		"a=0,b=-1,c=x,d=99999999":      nil,
		"a=1, a=2 ,=3,b=2":             {{Trigger: "a", Turns: 1}, {Trigger: "b", Turns: 2}},
		"a=9999999999999999999999,b=1": {{Trigger: "b", Turns: 1}},
	} {
		if diff := cmp.Diff(want, event.ParseCauses(text)); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", text, diff)
		}
	}
}

func TestEvent_Causes(t *testing.T) {
	want := event.Causes{{Trigger: "a", Turns: 3}}
	for name, data := range map[string]map[string]any{
		"object":     {"metadata": map[string]any{"annotations": map[string]any{"trigger.oam.dev/causes": "a=3"}}},
		"request":    {"headers": map[string]any{"kube-trigger-causes": "a=3"}},
		"CloudEvent": {"headers": map[string]any{}, "cloudEvent": map[string]any{"kubetriggercauses": "a=3"}},
	} {
		if diff := cmp.Diff(want, event.Event{Data: data}.Causes()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
	for _, data := range []map[string]any{nil, {"metadata": "x"}, {"headers": map[string]any{"kube-trigger-causes": 3}}} {
		if c := (event.Event{Data: data}).Causes(); c != nil {
			t.Errorf("%v: got %v", data, c)
		}
	}
}
