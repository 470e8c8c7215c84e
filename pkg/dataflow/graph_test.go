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

package dataflow_test

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/dataflow"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// watch watches all objects of a core kind.
func watch(kind string, change func(*source.Watch)) source.Watch {
	w := source.Watch{Kind: schema.GroupVersionKind{Version: "v1", Kind: kind}, Types: []string{event.Create, event.Update, event.Delete}, OwnCluster: true}
	if change != nil {
		change(&w)
	}
	return w
}

// write creates a labelled object, in each run another one.
func write(kind string, change func(*dataflow.Use)) dataflow.Use {
	u := dataflow.Use{Path: "action", Use: action.Use{
		Right:  rights.Right{APIVersion: "v1", Kind: kind, Namespace: "a", Verbs: []string{"create"}},
		Labels: map[string]string{"app": "web"}, Always: true, Varies: true,
	}}
	if change != nil {
		change(&u)
	}
	return u
}

func flow(name string, w source.Watch, u dataflow.Use) dataflow.Flow {
	return dataflow.Flow{Trigger: event.TriggerRef{Name: name}, Watches: []source.Watch{w}, Uses: []dataflow.Use{u}}
}

// TestNew_Cycles: a watches Pods and writes Secrets, b watches Secrets and writes Pods.
func TestNew_Cycles(t *testing.T) {
	for name, tt := range map[string]struct {
		watch         func(*source.Watch)
		write         func(*dataflow.Use)
		flow          func(*dataflow.Flow)
		none, certain bool
		allowed       bool
	}{
		"certain":             {certain: true},
		"same namespace":      {watch: func(w *source.Watch) { w.Namespace = "a" }, certain: true},
		"other namespace":     {watch: func(w *source.Watch) { w.Namespace = "b" }, none: true},
		"unknown namespace":   {watch: func(w *source.Watch) { w.Namespace = "b" }, write: func(u *dataflow.Use) { u.Namespace = "" }},
		"other name":          {watch: func(w *source.Watch) { w.Name = "x" }, write: func(u *dataflow.Use) { u.Name = "y" }, none: true},
		"unknown name":        {watch: func(w *source.Watch) { w.Name = "x" }},
		"its labels":          {watch: func(w *source.Watch) { w.Labels = "app=web" }, certain: true},
		"other labels":        {watch: func(w *source.Watch) { w.Labels = "app=db" }, none: true},
		"unknown labels":      {watch: func(w *source.Watch) { w.Labels = "app=db" }, write: func(u *dataflow.Use) { u.Labels = nil }},
		"labels of an update": {watch: func(w *source.Watch) { w.Labels = "app=db" }, write: func(u *dataflow.Use) { u.Verbs = []string{"patch"} }},
		"other type":          {watch: func(w *source.Watch) { w.Types = []string{event.Update} }, none: true},
		"one of two types":    {watch: func(w *source.Watch) { w.Types = []string{event.Update} }, write: func(u *dataflow.Use) { u.Verbs = []string{"create", "patch"} }},
		"a read":              {write: func(u *dataflow.Use) { u.Verbs = []string{"get", "list"} }, none: true},
		"other cluster":       {write: func(u *dataflow.Use) { u.Cluster = "eu" }, none: true},
		"the event's cluster": {write: func(u *dataflow.Use) { u.Cluster = rights.AnyCluster }},
		"a condition":         {flow: func(f *dataflow.Flow) { f.Conditional = true }},
		"suspended":           {flow: func(f *dataflow.Flow) { f.Suspended = true }},
		"not for each event":  {write: func(u *dataflow.Use) { u.Always = false }},
		"writes settle":       {write: func(u *dataflow.Use) { u.Varies = false }},
		"allowed":             {flow: func(f *dataflow.Flow) { f.AllowsSelf = true }, certain: true, allowed: true},
		"Events of two groups": {watch: func(w *source.Watch) {
			w.Kind = schema.GroupVersionKind{Group: "events.k8s.io", Version: "v1", Kind: "Event"}
		}, write: func(u *dataflow.Use) { u.Kind = "Event" }, certain: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := flow("a", watch("Pod", tt.watch), write("Secret", nil))
			b := flow("b", watch("Secret", nil), write("Pod", tt.write))
			if tt.flow != nil {
				tt.flow(&b)
			}
			var want []dataflow.Cycle
			if !tt.none {
				want = []dataflow.Cycle{{Triggers: []string{"a", "b"}, Certain: tt.certain, Allowed: tt.allowed}}
			}
			got := dataflow.New([]dataflow.Flow{a, b}).Cycles
			got = slices.DeleteFunc(got, func(c dataflow.Cycle) bool { return tt.allowed && len(c.Triggers) == 1 })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNew_LongCycle: each circle is listed once, from its first trigger on, and a trigger alone only
// if it acts on its own writes.
func TestNew_LongCycle(t *testing.T) {
	flows := []dataflow.Flow{
		flow("outside", watch("Node", nil), write("Pod", nil)),
		flow("a", watch("Pod", nil), write("Secret", nil)),
		flow("b", watch("Secret", nil), write("ConfigMap", nil)),
		flow("c", watch("ConfigMap", nil), write("Pod", nil)),
		flow("alone", watch("Service", nil), write("Service", nil)),
		flow("itself", watch("Endpoints", nil), write("Endpoints", nil)),
	}
	flows[5].AllowsSelf = true
	want := []dataflow.Cycle{
		{Triggers: []string{"a", "b", "c"}, Certain: true},
		{Triggers: []string{"itself"}, Certain: true, Allowed: true},
	}
	if diff := cmp.Diff(want, dataflow.New(flows).Cycles); diff != "" {
		t.Error(diff)
	}
}

// TestGraph_SVG is well-formed for any names.
func TestGraph_SVG(t *testing.T) {
	f := flow(`<script>&"`, watch("Pod", func(w *source.Watch) { w.Labels = `a in (<b>)` }), write("Secret", nil))
	for _, g := range []dataflow.Graph{dataflow.New([]dataflow.Flow{f}), dataflow.New(nil)} {
		text := g.SVG()
		if strings.Contains(text, "<script>") {
			t.Errorf("not escaped: %s", text)
		}
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := dataflow.New([]dataflow.Flow{f}).Dot(); !strings.Contains(got, `"trigger <script>&\""`) {
		t.Errorf("got %s", got)
	}
}
