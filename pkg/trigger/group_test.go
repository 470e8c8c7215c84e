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

package trigger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

func TestCompile_Group(t *testing.T) {
	window := &metav1.Duration{Duration: time.Second}
	for _, tc := range []struct {
		group    v1alpha1.Grouping
		debounce *metav1.Duration
		want     string
	}{
		{v1alpha1.Grouping{}, window, ""},
		{v1alpha1.Grouping{By: "object"}, window, ""},
		{v1alpha1.Grouping{By: "namespace"}, window, ""},
		{v1alpha1.Grouping{By: " trigger\n"}, window, ""},
		{v1alpha1.Grouping{By: `context.data.metadata.labels["a/b"]`}, window, ""},
		{v1alpha1.Grouping{By: "trigger"}, nil, "group: requires debounce"},
		{v1alpha1.Grouping{By: "cluster"}, window, `group.by`},
		{v1alpha1.Grouping{By: "context.data.replicas > 3"}, window, `group.by:1:1: must be a string or a number, not a boolean`},
		{v1alpha1.Grouping{By: "context.dat.x"}, window, `did you mean "data"`},
	} {
		_, problems := compile(t, v1alpha1.Trigger{
			Source: v1alpha1.Source{Type: "objects"}, Action: v1alpha1.Action{Type: "plain"}, Group: &tc.group, Debounce: tc.debounce,
		})
		if (tc.want == "") != (len(problems) == 0) || !strings.Contains(problems.Error(), tc.want) {
			t.Errorf("%+v: got %v, want %q", tc.group, problems, tc.want)
		}
	}
	sourceSpec, problems := compile(t, v1alpha1.Trigger{
		Source: v1alpha1.Source{Type: "objects"}, Action: v1alpha1.Action{Type: "plain"}, Debounce: window, Group: &v1alpha1.Grouping{By: "context.old.spec.image"},
	})
	if len(problems) > 0 || sourceSpec.Old.Empty() {
		t.Errorf("%v; context.old of a group is not selected", problems)
	}
}

// TestCompile_Stages orders the stages: without a group, the window comes before the
// filter. Ticks of a clock are no effect of an action.
func TestCompile_Stages(t *testing.T) {
	template, list := action.Parse("plain", `parameter: {}`)
	if len(list) > 0 {
		t.Fatal(list)
	}
	factory := func(c source.Capabilities) source.Factory {
		return source.Factory{Capabilities: c, Compile: func(map[string]any, source.Spec) (source.Subscription, diag.List) { return subscription{}, nil }}
	}
	c := trigger.Compiler{
		Actions:      map[string]trigger.Template{"plain": trigger.Parsed(template)},
		Executor:     func(event.TriggerRef) provider.Executor { return nil },
		LoopDetector: func(t event.TriggerRef) engine.LoopDetector { return loopguard.NewTracker().Detector(t) },
		Sources:      source.Registry{"objects": factory(source.Capabilities{}), "ticks": factory(source.Capabilities{Independent: true})},
	}
	group := &v1alpha1.Grouping{By: "trigger"}
	for _, tc := range []struct {
		source string
		group  *v1alpha1.Grouping
		want   string
	}{
		{"objects", nil, "SelfWrite Debounce Match LoopGuard Act"},
		{"objects", group, "SelfWrite Match GroupBy Debounce LoopGuard Act"},
		{"ticks", nil, "SelfWrite Debounce Match Act"},
	} {
		compiled, problems := c.Compile(event.TriggerRef{Name: "t"}, v1alpha1.Trigger{
			Source: v1alpha1.Source{Type: tc.source}, Group: tc.group, Debounce: &metav1.Duration{Duration: time.Second},
			Action: v1alpha1.Action{Type: "plain", Properties: &runtime.RawExtension{Raw: []byte(`{}`)}},
		})
		var got []string
		for _, s := range compiled.Stages {
			name := fmt.Sprintf("%T", s)
			got = append(got, name[strings.LastIndex(name, ".")+1:])
		}
		if strings.Join(got, " ") != tc.want || len(problems) > 0 {
			t.Errorf("%s, group %v: got %v, want %s (%v)", tc.source, tc.group, got, tc.want, problems)
		}
	}
}
