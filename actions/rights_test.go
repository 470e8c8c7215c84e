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
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/test/trait"
)

const triggerTrait = "../definitions/trigger.cue"

// formatRules returns a line for each rule: "configmaps [get patch] settings".
func formatRules(rules []rbacv1.PolicyRule) string {
	var b strings.Builder
	for _, r := range rules {
		resource := strings.TrimSuffix(strings.Join(r.Resources, ",")+"."+strings.Join(r.APIGroups, ","), ".")
		fmt.Fprintln(&b, strings.TrimSpace(fmt.Sprintf("%s %v %s", resource, r.Verbs, strings.Join(r.ResourceNames, " "))))
	}
	return b.String()
}

// TestRights_Golden compares what the trait trigger gives to actions in the namespace "default"
// with a golden file: to those of examples/actions, and to those of testdata/rights.yaml.
func TestRights_Golden(t *testing.T) {
	var list []trait.Action
	for _, name := range actionNames(t) {
		list = append(list, trait.Action{Type: name, Properties: examples(t)[name].Action.Properties})
	}
	text, err := os.ReadFile("testdata/rights.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var more []trait.Action
	if err := yaml.Unmarshal(text, &more); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, a := range append(list, more...) {
		rules, refused := trait.Rights(t, triggerTrait, "default", a)
		fmt.Fprintf(&b, "# %s\n%s", strings.ReplaceAll(strings.TrimSpace(string(encode(t, a))), "\n", "\n# "), formatRules(rules))
		if refused != "" {
			fmt.Fprintln(&b, "refused:", refused)
		}
		fmt.Fprintln(&b)
	}
	const golden = "testdata/rights.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s is not up to date; run go test ./actions -run TestRights_Golden -update: %s", golden, diff)
	}
}

// TestRights runs each action with the rights that the trait trigger gives to it, and with those
// that are derived from its calls, and then
// without each of their verbs, which is refused: they are what is needed, and no more.
func TestRights(t *testing.T) {
	e := startVela(t)
	e.policy.Allow = startWithLoopback(t).policy.Allow
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	e.secret(t, "url", map[string]any{"url": server.URL})
	e.secret(t, "token", map[string]any{"token": "hush"})
	settings := e.create(t, "v1", "ConfigMap", "settings", nil)
	e.deployment(t, "web", 1)
	app := e.application(t)
	e.create(t, "standard.oam.dev/v1alpha1", "EventListener", "log", nil)
	run := e.create(t, "core.oam.dev/v1alpha1", "WorkflowRun", "run", map[string]any{"spec": map[string]any{"workflowRef": "x"}})
	runStatus := func() map[string]any {
		status := running()
		status["mode"], status["status"] = map[string]any{}, "executing"
		return status
	}
	ended := func(t *testing.T) {
		for _, r := range e.list(t, "core.oam.dev/v1alpha1", "WorkflowRun") {
			status := runStatus()
			status["finished"] = true
			e.setStatus(t, &r, status)
		}
	}
	runs := func(o *unstructured.Unstructured, suspend bool) func(t *testing.T) {
		return func(t *testing.T) {
			if o.GetKind() == "Application" {
				status := running()
				status["suspend"] = suspend
				e.setStatus(t, o, map[string]any{"workflow": status})
				return
			}
			status := runStatus()
			status["suspend"], status["contextBackend"] = suspend, map[string]any{"name": "workflow-run-context"}
			e.setStatus(t, o, status)
		}
	}
	type properties = map[string]any
	for name, tc := range map[string]struct {
		action     string
		properties properties
		// before makes what the action finds.
		before func(t *testing.T)
		// optional are verbs that the action can do without.
		optional []string
	}{
		"apply":           {action: "apply-resource", properties: properties{"resource": properties{"apiVersion": "v1", "kind": "ConfigMap", "metadata": properties{"name": "applied"}}}},
		"bump":            {action: "bump-application-revision", properties: properties{"nameSelector": properties{"name": "web"}}},
		"create listener": {action: "create-event-listener"},
		"delete":          {action: "delete-resource", properties: properties{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone"}},
		"event":           {action: "emit-kubernetes-event"},
		"request": {action: "http-request", properties: properties{
			"urlFrom": secretRef("url", "url"), "headersFrom": properties{"X-Key": secretRef("token", "token")},
			"basicAuth": properties{"username": "me", "password": secretRef("token", "token")},
		}},
		"cloudevent":             {action: "send-cloudevent", properties: properties{"urlFrom": secretRef("url", "url"), "token": secretRef("token", "token")}},
		"slack":                  {action: "notify-slack", properties: properties{"url": secretRef("url", "url")}},
		"patch component":        {action: "patch-application", properties: properties{"name": "web", "component": "web", "image": "web:2"}},
		"patch":                  {action: "patch-resource", properties: properties{"resource": properties{"apiVersion": "v1", "kind": "ConfigMap", "name": "settings", "namespace": e.namespace}, "patch": properties{"data": properties{"data": properties{"a": "1"}}}}},
		"record":                 {action: "record-event", properties: properties{"name": "log"}},
		"restart":                {action: "restart-workload", properties: properties{"kind": "Deployment", "name": "web"}, optional: []string{"get"}},
		"restart Application":    {action: "restart-workflow", properties: properties{"name": "web"}, before: runs(app, false)},
		"restart WorkflowRun":    {action: "restart-workflow", properties: properties{"kind": "WorkflowRun", "name": "run"}, before: runs(run, false)},
		"resume Application":     {action: "resume-workflow", properties: properties{"name": "web"}, before: runs(app, true)},
		"resume WorkflowRun":     {action: "resume-workflow", properties: properties{"kind": "WorkflowRun", "name": "run"}, before: runs(run, true)},
		"suspend Application":    {action: "suspend-workflow", properties: properties{"name": "web"}, before: runs(app, false)},
		"suspend WorkflowRun":    {action: "suspend-workflow", properties: properties{"kind": "WorkflowRun", "name": "run"}, before: runs(run, false)},
		"scale":                  {action: "scale-workload", properties: properties{"kind": "Deployment", "name": "web", "replicas": int64(3)}},
		"scale by":               {action: "scale-workload", properties: properties{"kind": "Deployment", "name": "web", "by": int64(1)}},
		"job":                    {action: "run-job", properties: properties{"image": "x"}},
		"task":                   {action: "task", properties: properties{"image": "x"}},
		"view":                   {action: "run-velaql", properties: properties{"template": "status: \"ok\"", "output": properties{"configMap": properties{"name": "view"}}}},
		"start workflow":         {action: "start-workflow", properties: properties{"workflow": "x"}},
		"start one workflow":     {action: "start-workflow", properties: properties{"workflow": "x", "concurrency": "Forbid"}, before: ended},
		"start another workflow": {action: "start-workflow", properties: properties{"workflow": "x", "concurrency": "Replace"}, optional: []string{"delete"}},
	} {
		t.Run(name, func(t *testing.T) {
			rules, refused := trait.Rights(t, triggerTrait, e.namespace, trait.Action{Type: tc.action, Properties: tc.properties})
			rules = slices.DeleteFunc(rules, func(r rbacv1.PolicyRule) bool { return slices.Equal(r.ResourceNames, []string{trait.Application}) })
			if refused != "" || len(rules) == 0 {
				t.Fatalf("got rules %v and error %q", rules, refused)
			}
			both := map[string][]rbacv1.PolicyRule{"trait": rules, "derived": derivedRules(t, e, settings, tc.action, tc.properties)}
			// do runs the action with rules.
			do := func(account string, rules []rbacv1.PolicyRule) error {
				if tc.before != nil {
					tc.before(t)
				}
				ev := another(settings)
				user := e.ServiceAccount(t, e.namespace, strings.ToLower(strings.ReplaceAll(name, " ", "-"))+account, rules...)
				return e.action(t, connect(t, user), tc.action, tc.properties).Run(t.Context(), ev)
			}
			for from, rules := range both {
				for i, r := range rules {
					for j, verb := range r.Verbs {
						fewer := slices.Clone(rules)
						fewer[i].Verbs = slices.Delete(slices.Clone(r.Verbs), j, j+1)
						if len(fewer[i].Verbs) == 0 {
							fewer = slices.Delete(fewer, i, i+1)
						}
						err := do(fmt.Sprintf("-%s-%d-%s", from, i, verb), fewer)
						if !slices.Contains(tc.optional, verb) && (err == nil || !strings.Contains(err.Error(), "forbidden")) {
							t.Errorf("%s, without %s %s: got error %v, want a forbidden one", from, verb, r.Resources, err)
						}
					}
				}
			}
			for from, rules := range both {
				if err := do("-"+from, rules); err != nil {
					t.Errorf("%s, with\n%s: %v", from, formatRules(rules), err)
				}
			}
		})
	}
}

// derivedRules returns the rules that are derived for an action and events of an object.
func derivedRules(t *testing.T, e env, o *unstructured.Unstructured, typ string, properties map[string]any) []rbacv1.PolicyRule {
	t.Helper()
	uses, unknown := e.action(t, e.Client, typ, properties).action.Uses(action.Events{
		Trigger: event.Trigger{Name: "live", Namespace: e.namespace},
		Source:  "resource-watcher", Types: []string{event.Update}, Kind: o.GroupVersionKind(), Namespace: o.GetNamespace(), Name: o.GetName(),
	})
	if len(unknown) > 0 {
		t.Errorf("not derived: %v", unknown)
	}
	var list []rights.Right
	for _, u := range uses {
		list = append(list, u.Right)
	}
	var rules []rbacv1.PolicyRule
	for _, o := range rights.Roles(rights.Account{Namespace: e.namespace, Name: "test", Role: "test"}, list, nil) {
		switch o := o.(type) {
		case *rbacv1.Role:
			rules = append(rules, o.Rules...)
		case *rbacv1.ClusterRole:
			t.Errorf("rights in all namespaces: %v", o.Rules)
		}
	}
	return rules
}

// TestRights_Resources compares the resources of kinds, which the trait trigger derives, with
// those of Kubernetes, KubeVela and kube-trigger.
func TestRights_Resources(t *testing.T) {
	e := startVela(t)
	lists, err := e.Cluster.Client(t).Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	for _, l := range lists {
		for _, r := range l.APIResources {
			if !r.Namespaced || !slices.Contains(r.Verbs, "patch") || strings.HasPrefix(l.GroupVersion, rbacv1.GroupName+"/") {
				continue
			}
			kinds++
			rules, refused := trait.Rights(t, triggerTrait, "default", trait.Action{Type: "patch-resource", Properties: map[string]any{
				"resource": map[string]any{"apiVersion": l.GroupVersion, "kind": r.Kind, "name": "web"},
			}})
			group, _, isGroup := strings.Cut(l.GroupVersion, "/")
			if !isGroup {
				group = ""
			}
			want := []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{r.Name}, ResourceNames: []string{"web"}, Verbs: []string{"patch"}}}
			if diff := cmp.Diff(want, rules); diff != "" || refused != "" {
				t.Errorf("%s %s: %s%s", l.GroupVersion, r.Kind, refused, diff)
			}
		}
	}
	if kinds < 30 {
		t.Errorf("got %d kinds, want those of the API server", kinds)
	}
}
