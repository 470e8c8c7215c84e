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
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// compileIn compiles a trigger of a TriggerService in the namespace prod with labels.
func compileIn(t *testing.T, labels map[string]string, properties, filter string) trigger.Compiled {
	t.Helper()
	template, list := action.Parse("plain", `parameter: {}`)
	if len(list) > 0 {
		t.Fatal(list)
	}
	c := trigger.Compiler{
		Actions:  map[string]trigger.Template{"plain": trigger.Parsed(template)},
		Executor: func(event.TriggerRef) provider.Executor { return nil },
		Sources:  source.Registry{"resource-watcher": resource.New(resource.Options{})},
	}
	ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop-web-bump", Labels: labels}}
	ts.Spec.Triggers = []v1alpha1.Trigger{{
		Name: "edits", Filter: filter, Action: v1alpha1.Action{Type: "plain"},
		Source: v1alpha1.Source{Type: "resource-watcher", Properties: &runtime.RawExtension{Raw: []byte(properties)}},
	}}
	return trigger.CompileService(c, ts, func(int, string, string) string { return "" })[0]
}

// shopLabels are those of an object of the Application apps/shop that KubeVela has placed.
func shopLabels() map[string]string {
	return map[string]string{"app.oam.dev/name": "shop", "app.oam.dev/namespace": "apps", "app.oam.dev/component": "web"}
}

func TestCompileService_ApplicationContext(t *testing.T) {
	const (
		properties = `{"apiVersion": "v1", "kind": "ConfigMap"}`
		filter     = `"\(context.appNamespace)/\(context.appName)/\(context.component)/\(context.cluster)" == "apps/shop/web/local"`
	)
	for want, labels := range map[string]map[string]string{"": shopLabels(), "context.appNamespace is absent": nil} {
		compiled := compileIn(t, labels, properties, filter)
		if len(compiled.Problems) > 0 {
			t.Fatal(compiled.Problems)
		}
		verdict, err := compiled.Filter.Match(t.Context(), event.Event{Data: map[string]any{}})
		if err != nil || verdict.Match != (want == "") || verdict.Reason != want {
			t.Errorf("labels %v: got %+v, %v, want reason %q", labels, verdict, err, want)
		}
	}
}

func TestCompileService_OwnApplication(t *testing.T) {
	own := compileIn(t, shopLabels(), `{"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "ownApplication": true}`, "")
	if len(own.Problems) > 0 {
		t.Fatal(own.Problems)
	}
	const key = "resource-watcher:core.oam.dev/v1beta1/Application?namespace=apps&fields=metadata.name=shop"
	if got := own.Subscription.Key(); got != key {
		t.Errorf("got key %s, want %s", got, key)
	}
	for _, tc := range []struct {
		labels           map[string]string
		properties, want string
	}{
		{nil, `{"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "ownApplication": true}`,
			"spec.triggers[0].source.properties.ownApplication: the TriggerService is not part of an Application: KubeVela has not set its labels app.oam.dev/name and app.oam.dev/namespace"},
		{shopLabels(), `{"apiVersion": "v1", "kind": "ConfigMap", "ownApplication": true}`,
			"spec.triggers[0].source.properties.ownApplication: selects an Application, not a ConfigMap"},
		{shopLabels(), `{"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "ownApplication": true, "namespace": "x"}`,
			"spec.triggers[0].source.properties.ownApplication: selects the namespace and the name of the Application; remove namespace and fieldSelector"},
	} {
		if diff := cmp.Diff(tc.want, compileIn(t, tc.labels, tc.properties, "").Problems.Error()); diff != "" {
			t.Error(diff)
		}
	}
}
