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
	"io/fs"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// given are the properties with which each action works for any event.
func given(e env, url string) map[string]map[string]any {
	workload := map[string]any{"kind": "Deployment", "name": "web"}
	chat := map[string]any{"url": secretRef("chat", "url")}
	return map[string]map[string]any{
		"apply-resource":            {"resource": map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "made"}}},
		"bump-application-revision": {"nameSelector": map[string]any{"name": "web"}},
		"delete-resource":           {"apiVersion": "v1", "kind": "ConfigMap", "name": "absent"},
		"http-request":              {"url": url},
		"log":                       nil,
		"notify":                    {"to": []any{map[string]any{"type": "slack", "url": secretRef("chat", "url")}}},
		"notify-dingtalk":           chat,
		"notify-discord":            chat,
		"notify-lark":               chat,
		"notify-slack":              chat,
		"notify-teams":              chat,
		"notify-telegram":           {"token": secretRef("chat", "token"), "chat": "1", "server": url},
		"notify-wecom":              chat,
		"patch-application":         {"name": "web", "component": "web", "image": "web:2"},
		"patch-resource": {
			"resource": map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "task", "namespace": e.namespace},
			"patch":    map[string]any{"data": map[string]any{"data": map[string]any{"state": "done"}}},
		},
		"record-event":     {"name": "events"},
		"restart-workflow": {"name": "web"},
		"restart-workload": workload,
		"resume-workflow":  {"name": "web"},
		"run-job":          {"image": "busybox"},
		"run-velaql":       {"template": `status: "fine"`},
		"scale-workload":   {"kind": "Deployment", "name": "web", "by": int64(1)},
		"send-cloudevent":  {"url": url},
		"start-workflow":   {"workflow": "deploy"},
		"suspend-workflow": {"name": "web"},
		"task":             {"image": "busybox"},
	}
}

// objectless returns events of sources whose events have no object.
func objectless() []event.Event {
	return []event.Event{
		{Source: "cronjob", Type: "tick", ID: "tick", Data: map[string]any{"schedule": "* * * * *", "timeZone": "UTC", "time": "2026-01-01T00:00:00Z", "timeFired": "2026-01-01T00:00:00Z"}},
		{Source: "webhook", Type: "request", ID: "call", Data: map[string]any{"path": "/hooks/x", "headers": map[string]any{}, "query": map[string]any{}, "body": map[string]any{"a": "b"}}},
		{Source: "velaql", Type: event.Update, ID: "view", Data: map[string]any{"result": []any{"a"}}},
	}
}

// clusterScoped returns update events of objects without a namespace, as people watch them
// (kubernetes/client-go#781, nolar/kopf#949, Kong/kubernetes-ingress-controller#5387,
// openshift/cluster-autoscaler-operator#80, kubernetes-sigs/kubebuilder-declarative-pattern#213).
func (e env) clusterScoped(t *testing.T) []event.Event {
	t.Helper()
	var events []event.Event
	for _, manifest := range []map[string]any{
		{"apiVersion": "v1", "kind": "Namespace"},
		{"apiVersion": "v1", "kind": "Node"},
		{"apiVersion": "v1", "kind": "PersistentVolume", "spec": map[string]any{
			"capacity": map[string]any{"storage": "1Gi"}, "accessModes": []any{"ReadWriteOnce"}, "hostPath": map[string]any{"path": "/tmp"},
		}},
		{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"},
		{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "example.com/none"},
		{"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": int64(1)},
	} {
		o := &unstructured.Unstructured{Object: manifest}
		o.SetName(strings.ToLower(o.GetKind()) + "-" + e.namespace)
		if err := e.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		events = append(events, updateOf(o))
	}
	return events
}

// startObjectless starts an env with the objects that given names.
func startObjectless(t *testing.T) (e env, url string) {
	t.Helper()
	e = startVela(t)
	e.policy.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"errcode": 0, "code": 0}`)) })
	e.secret(t, "chat", map[string]any{"url": server.URL, "token": "x"})
	app := e.application(t)
	e.setStatus(t, app, map[string]any{"status": "runningWorkflow", "workflow": running()})
	e.deployment(t, "web", 1)
	configMap(t, e)
	e.create(t, "standard.oam.dev/v1alpha1", "EventListener", "events", nil)
	return e, server.URL
}

// check compiles a built-in action for the source of ev, if that has no objects.
func (e env) check(t *testing.T, name string, properties map[string]any, ev event.Event) diag.List {
	t.Helper()
	source, err := fs.ReadFile(actions.FS, name+".cue")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, diags := action.Parse(name, string(source))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	_, diags = tmpl.Compile(action.Options{Properties: properties, Objectless: ev.Source})
	return diags
}

// TestObjectless: each action works for events without an object and for objects without a
// namespace.
func TestObjectless(t *testing.T) {
	e, url := startObjectless(t)
	properties := given(e, url)
	events := append(objectless(), e.clusterScoped(t)...)
	for _, name := range actionNames(t) {
		p, ok := properties[name]
		if !ok {
			continue // see TestObjectless_Refused
		}
		for _, ev := range events {
			if ev.Source != "resource-watcher" {
				if diags := e.check(t, name, p, ev); len(diags) > 0 {
					t.Errorf("%s is refused for %s: %v", name, ev.Source, diags)
				}
			}
			if strings.HasSuffix(name, "-workflow") && name != "start-workflow" {
				e.setStatus(t, e.newObject("core.oam.dev/v1beta1", "Application", "web"), map[string]any{"status": "runningWorkflow", "workflow": running()})
			}
			if err := e.run(t, name, p, ev); err != nil {
				t.Errorf("%s for %s %s: %v", name, ev.Source, ev.ID, err)
			}
		}
	}
}

// TestObjectless_Refused: an action that needs an object is refused for a source whose events
// have none, and works for objects without a namespace.
func TestObjectless_Refused(t *testing.T) {
	e, url := startObjectless(t)
	properties := given(e, url)
	needing := map[string]map[string]any{
		"create-event-listener": nil, "emit-kubernetes-event": nil,
		"bump-application-revision": nil, "delete-resource": nil, "patch-application": {"component": "web", "image": "web:2"},
		"record-event": nil, "restart-workflow": nil, "restart-workload": nil, "resume-workflow": nil, "scale-workload": nil, "suspend-workflow": nil,
	}
	for name, p := range needing {
		for _, ev := range objectless() {
			if diags := e.check(t, name, p, ev); len(diags) != 1 || !strings.Contains(diags[0].Message, "needs an object") || !strings.Contains(diags[0].Message, ev.Source) {
				t.Errorf("%s for %s: got %v", name, ev.Source, diags)
			}
		}
	}
	for _, name := range actionNames(t) {
		if _, ok := properties[name]; !ok && needing[name] == nil && !slices.Contains(slices.Collect(maps.Keys(needing)), name) && name != "notify-email" {
			t.Errorf("%s is not tested", name)
		}
	}
	for _, ev := range e.clusterScoped(t) {
		e.mustRun(t, "create-event-listener", nil, ev)
		name := (&unstructured.Unstructured{Object: ev.Data}).GetName()
		listener := e.get(t, e.newObject("standard.oam.dev/v1alpha1", "EventListener", name))
		if owners := listener.GetOwnerReferences(); len(owners) != 1 || owners[0].Name != name {
			t.Errorf("owned by %v", owners)
		}
		e.mustRun(t, "record-event", nil, ev)
		e.mustRun(t, "emit-kubernetes-event", nil, ev)
	}
}

// TestObjectless_Names: names of roles can be no name of an EventListener (crossplane/crossplane#6687,
// aquasecurity/starboard#1355). The listener has another one, by which record-event finds it.
func TestObjectless_Names(t *testing.T) {
	e := startVela(t)
	var names []string
	for _, name := range []string{"system:" + e.namespace + ":Viewer", "System:" + e.namespace + ":viewer", e.namespace + ".viewer"} {
		role := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}}
		role.SetName(name)
		if err := e.Create(t.Context(), role); err != nil {
			t.Fatal(err)
		}
		e.mustRun(t, "create-event-listener", nil, updateOf(role))
		e.mustRun(t, "record-event", nil, updateOf(role))
	}
	for _, l := range e.list(t, "standard.oam.dev/v1alpha1", "EventListener") {
		if n := len(field[[]any](t, &l, "events")); n != 1 {
			t.Errorf("%s has %d events", l.GetName(), n)
		}
		names = append(names, l.GetName())
	}
	if len(names) != 3 || !slices.Contains(names, e.namespace+".viewer") {
		t.Errorf("listeners are %v", names)
	}
}
