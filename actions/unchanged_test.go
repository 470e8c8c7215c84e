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
	"net/http"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestUnchanged: the first run of each action changes something, and the second run for
// another event says that it changed nothing.
func TestUnchanged(t *testing.T) {
	e := startVela(t)
	cm, d, a := configMap(t, e), e.deployment(t, "web", 3), e.application(t)
	e.setStatus(t, a, map[string]any{"status": "runningWorkflow", "workflow": running()})
	a = e.get(t, a)
	patch := func(kind string, data any) map[string]any {
		return map[string]any{"resource": named(e, "ConfigMap", nil), "patch": map[string]any{"type": kind, "data": data}}
	}
	for _, tc := range []struct {
		action     string
		properties map[string]any
		object     *unstructured.Unstructured
	}{
		{"patch-resource", patch("merge", map[string]any{"data": map[string]any{"a": "1"}}), d},
		{"patch-resource", patch("json", []any{map[string]any{"op": "add", "path": "/data/a", "value": "2"}}), cm},
		{"patch-resource", patch("apply", map[string]any{"data": map[string]any{"b": "3"}}), d},
		{"apply-resource", map[string]any{"resource": named(e, "ConfigMap", map[string]any{"data": map[string]any{"c": "4"}})}, cm},
		{"scale-workload", map[string]any{"replicas": int64(5)}, d},
		{"scale-workload", map[string]any{"by": int64(100), "max": int64(6), "kind": "Deployment", "name": "web", "namespace": e.namespace}, d},
		{"patch-application", map[string]any{"component": "web", "image": "web:2"}, a},
		{"patch-application", map[string]any{"component": "web", "properties": map[string]any{"port": int64(81)}}, a},
		{"suspend-workflow", nil, a},
		{"resume-workflow", nil, a},
		{"restart-workflow", nil, a},
		{"delete-resource", map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "task", "namespace": e.namespace}, d},
	} {
		t.Run(tc.action, func(t *testing.T) {
			act := e.action(t, e.Client, tc.action, tc.properties)
			wantChanged(t, act, another(tc.object))
			if tc.action == "scale-workload" && tc.properties["by"] != nil {
				return // each event is noted in an annotation
			}
			wantUnchanged(t, act, another(tc.object), provider.ReasonUnchanged)
		})
	}
}

// TestUnchanged_NothingSelected: an action whose selector selects nothing changed nothing
// (kubernetes/kubectl#57, Kong/kongctl#1649).
func TestUnchanged_NothingSelected(t *testing.T) {
	e := startVela(t)
	cm := configMap(t, e)
	for name, properties := range map[string]map[string]any{
		"bump-application-revision": {"nameSelector": map[string]any{"matchingLabels": map[string]any{"no": "such"}}},
		"restart-workload":          {"kind": "Deployment", "matchingLabels": map[string]any{"no": "such"}},
		"delete-resource":           {"apiVersion": "v1", "kind": "ConfigMap", "matchingLabels": map[string]any{"no": "such"}},
	} {
		wantUnchanged(t, e.action(t, e.Client, name, properties), another(cm), provider.ReasonUnchanged)
	}
	remover := e.ServiceAccount(t, e.namespace, "remover", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"deletecollection"}})
	remove := e.action(t, connect(t, remover), "delete-resource", map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "matchingLabels": map[string]any{"no": "such"}})
	for range 2 {
		wantChanged(t, remove, another(cm)) // it may not know
	}
}

// TestUnsuitableKinds: what cannot be restarted or scaled is said, and nothing claims that it
// was (stakater/Reloader#543, stakater/Reloader#452: CronJobs; SigNoz/charts#74,
// haproxytech/kubernetes-ingress#201: DaemonSets have no replicas).
func TestUnsuitableKinds(t *testing.T) {
	e := start(t)
	pod := map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "web"}}, "spec": map[string]any{
		"restartPolicy": "Always", "containers": []any{map[string]any{"name": "web", "image": "web:1"}},
	}}
	jobPod := map[string]any{"spec": map[string]any{"restartPolicy": "Never", "containers": []any{map[string]any{"name": "web", "image": "web:1"}}}}
	cron := e.create(t, "batch/v1", "CronJob", "nightly", map[string]any{"spec": map[string]any{
		"schedule": "0 3 * * *", "jobTemplate": map[string]any{"spec": map[string]any{"template": jobPod}},
	}})
	agent := e.create(t, "apps/v1", "DaemonSet", "agent", map[string]any{"spec": map[string]any{
		"selector": map[string]any{"matchLabels": map[string]any{"app": "web"}}, "template": pod,
	}})
	for _, tc := range []struct {
		action     string
		properties map[string]any
		object     *unstructured.Unstructured
		want       string
	}{
		{"restart-workload", nil, cron, "CronJob nightly cannot be restarted"},
		{"scale-workload", map[string]any{"replicas": int64(3)}, agent, "DaemonSet agent cannot be scaled"},
		{"scale-workload", map[string]any{"by": int64(1)}, agent, "DaemonSet agent cannot be scaled"},
		{"scale-workload", map[string]any{"replicas": int64(0)}, cron, "CronJob nightly cannot be scaled"},
		{"restart-workload", nil, agent, ""},
	} {
		err := e.run(t, tc.action, tc.properties, updateOf(e.get(t, tc.object)))
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s of %s: got %v, want %q", tc.action, tc.object.GetName(), err, tc.want)
		}
	}
}

// TestUnchanged_Others: actions that send or tell something succeed.
func TestUnchanged_Others(t *testing.T) {
	e := startWithLoopback(t)
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	for name, properties := range map[string]map[string]any{
		"log":          nil,
		"http-request": {"url": server.URL},
	} {
		wantChanged(t, e.action(t, e.Client, name, properties), e.event("x"))
	}
}

// TestUnchanged_NotReadable: without the right to read an object, a patch counts as a change,
// and works.
func TestUnchanged_NotReadable(t *testing.T) {
	e := start(t)
	cm := configMap(t, e)
	writer := e.ServiceAccount(t, e.namespace, "writer", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"patch"}})
	patch := e.action(t, connect(t, writer), "patch-resource", map[string]any{
		"resource": named(e, "ConfigMap", nil), "patch": map[string]any{"data": map[string]any{"data": map[string]any{"state": "done"}}},
	})
	for range 2 {
		wantChanged(t, patch, e.event("x"))
	}
	if got := field[string](t, e.get(t, cm), "data", "state"); got != "done" {
		t.Errorf("state is %q", got)
	}
}

// pushed returns the event of a push of an image, as the source webhook makes it.
func pushed(tag, digest string) event.Event {
	return event.Event{Source: "webhook", Type: "push", ID: "webhook/live/" + digest, Data: map[string]any{"image": map[string]any{
		"registry": "harbor.example.com", "repository": "library/web", "tag": tag, "digest": digest,
	}}}
}

// TestPatchApplication_SameTag: a push to the tag that runs is deployed if its digest is known
// (keel-hq/keel#803, keel-hq/keel#846, argoproj-labs/argocd-image-updater#174,
// fluxcd/image-reflector-controller#87). An image of the same digest changes nothing
// (keel-hq/keel#326), nor does a push without a digest.
func TestPatchApplication_SameTag(t *testing.T) {
	e := startVela(t)
	app := e.application(t)
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	for _, step := range []struct {
		push      event.Event
		more      map[string]any
		want      string
		unchanged bool
	}{
		{pushed("latest", digest("a")), nil, "harbor.example.com/library/web:latest@" + digest("a"), false},
		{pushed("latest", digest("b")), nil, "harbor.example.com/library/web:latest@" + digest("b"), false},
		{pushed("latest", digest("b")), nil, "harbor.example.com/library/web:latest@" + digest("b"), true},
		{pushed("latest", digest("c")), map[string]any{"digest": false}, "harbor.example.com/library/web:latest", false},
		{pushed("latest", ""), nil, "harbor.example.com/library/web:latest", true},
		{pushed("v2", ""), nil, "harbor.example.com/library/web:v2", false},
		{pushed("", digest("d")), map[string]any{"digest": false}, "harbor.example.com/library/web@" + digest("d"), false},
	} {
		properties := map[string]any{"name": "web", "component": "web"}
		for k, v := range step.more {
			properties[k] = v
		}
		patch := e.action(t, e.Client, "patch-application", properties)
		if step.unchanged {
			wantUnchanged(t, patch, step.push, provider.ReasonUnchanged)
		} else {
			wantChanged(t, patch, step.push)
		}
		component := field[[]any](t, e.get(t, app), "spec", "components")[1].(map[string]any)
		if got := component["properties"].(map[string]any)["image"]; got != step.want {
			t.Errorf("image is %v, want %s", got, step.want)
		}
	}
}
