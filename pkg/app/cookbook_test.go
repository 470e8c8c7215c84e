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

package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/markdown"
)

// recipe is a row of docs/cookbook.md.
type recipe struct{ when, filter, onChange string }

// recipes returns the rows of docs/cookbook.md that have a filter.
func recipes(t *testing.T) []recipe {
	t.Helper()
	var all []recipe
	for _, row := range markdown.Tables(t, "../../docs/cookbook.md")["when | filter | `onChange`"] {
		all = append(all, recipe{row[0], row[1], row[2]})
	}
	return all
}

// TestCookbook replays what KubeVela made of Applications, and compares the steps at which
// each filter of docs/cookbook.md matches.
func TestCookbook(t *testing.T) {
	const last = "end"
	e := newEnv(t)
	all := recipes(t)
	if len(all) < 25 {
		t.Fatalf("got %d filters, want at least 25", len(all))
	}
	var config strings.Builder
	config.WriteString("triggers:\n")
	for i, r := range all {
		fmt.Fprintf(&config, `
  - name: r%d
    source:
      type: resource-watcher
      properties: {apiVersion: core.oam.dev/v1beta1, kind: Application, namespace: %s, events: [create, update]}
    concurrency: 1
    onChange: [%q]
    filter: %q
    action: {type: log, properties: {message: "{{.data.metadata.resourceVersion}}"}}
`, i, e.namespace, r.onChange, r.filter)
	}
	p := startRunAt(t, e.options(t, config.String()), "debug")
	p.waitForLog(t, "watching")
	steps := e.replay(t)
	e.createApplication(t, last)
	handled := func(trigger string) func(map[string]any) bool {
		return func(l map[string]any) bool {
			return l["trigger"] == "default/"+trigger && l["key"] == e.namespace+"/"+last && l["msg"] != "Event matched"
		}
	}
	for i, r := range all {
		name := fmt.Sprintf("r%d", i)
		eventually(t, "the last event of "+r.when, func() bool { return len(p.linesWhere(handled(name))) > 0 })
		var got []string
		for _, l := range p.linesWhere(func(l map[string]any) bool {
			return l["msg"] == "template message" && l["trigger"] == "default/"+name
		}) {
			got = append(got, steps[l["message"].(string)])
		}
		if want := cookbookSteps()[r.when]; !slices.Equal(got, want) {
			t.Errorf("%s: got steps %q, want %q", r.when, got, want)
		}
	}
	p.stop(t)
}

// replay writes the versions of the Applications in testdata/applications.txtar, and returns
// the step of each resourceVersion.
func (e env) replay(t *testing.T) map[string]string {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/applications.txtar")
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]string{}
	for _, f := range archive.Files {
		for _, line := range strings.Split(strings.TrimSpace(string(f.Data)), "\n") {
			app := &unstructured.Unstructured{}
			if err := json.Unmarshal([]byte(line), &app.Object); err != nil {
				t.Fatal(err)
			}
			for _, write := range []func(*unstructured.Unstructured) (*unstructured.Unstructured, error){e.writeObject(t), e.writeStatus(t)} {
				written, err := write(app)
				if err != nil {
					t.Fatal(err)
				}
				if v := written.GetResourceVersion(); steps[v] == "" { // a write may change nothing
					steps[v] = f.Name
				}
			}
			if app.GetDeletionTimestamp() != nil {
				if err := e.applications.Delete(t.Context(), app.GetName(), metav1.DeleteOptions{}); err != nil {
					t.Fatal(err)
				}
				deleted, err := e.applications.Get(t.Context(), app.GetName(), metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if v := deleted.GetResourceVersion(); steps[v] == "" {
					steps[v] = f.Name
				}
			}
		}
	}
	return steps
}

// writeObject creates an Application, or replaces what it has beside its status.
func (e env) writeObject(t *testing.T) func(*unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return func(app *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": app.GetAPIVersion(), "kind": app.GetKind(), "spec": app.Object["spec"]}}
		o.SetName(app.GetName())
		o.SetLabels(app.GetLabels())
		o.SetAnnotations(app.GetAnnotations())
		o.SetFinalizers(app.GetFinalizers())
		before, err := e.applications.Get(t.Context(), app.GetName(), metav1.GetOptions{})
		if err != nil {
			return e.applications.Create(t.Context(), o, metav1.CreateOptions{})
		}
		o.SetResourceVersion(before.GetResourceVersion())
		return e.applications.Update(t.Context(), o, metav1.UpdateOptions{})
	}
}

// writeStatus replaces the status of an Application, unless it has none.
func (e env) writeStatus(t *testing.T) func(*unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return func(app *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		patch, err := json.Marshal([]any{map[string]any{"op": "add", "path": "/status", "value": app.Object["status"]}})
		if err != nil || app.Object["status"] == nil {
			return app, err
		}
		return e.applications.Patch(t.Context(), app.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{}, "status")
	}
}

// cookbookSteps are the steps of testdata/applications.txtar at which each filter matches.
func cookbookSteps() map[string][]string {
	return map[string][]string{
		"it is running": {"shop: deploy v1", "shop: deploy v2", "shop: web recovers", "shop: recovers", "pipeline: is approved"},
		"it is running after a deployment, and not after a problem": {"shop: deploy v1", "shop: deploy v2", "shop: web recovers", "pipeline: is approved"},
		"it is unhealthy":                                  {"shop: becomes unhealthy"},
		"it has recovered":                                 {"shop: recovers"},
		"it has a problem of any kind":                     {"shop: becomes unhealthy", "pipeline: the smoke test fails", "pipeline: is terminated"},
		"an Application of team a is running":              {"shop: deploy v1", "shop: deploy v2", "shop: web recovers", "shop: recovers"},
		"it is being deleted":                              {"shop: is deleted"},
		"a run ended, with any result":                     {"shop: deploy v1", "shop: deploy v2", "shop: web recovers", "pipeline: is approved", "pipeline: the smoke test fails", "pipeline: is terminated"},
		"a run succeeded":                                  {"shop: deploy v1", "shop: deploy v2", "shop: web recovers", "pipeline: is approved"},
		"a run failed":                                     {"pipeline: the smoke test fails"},
		"a run was terminated":                             {"pipeline: is terminated"},
		"a run took more than 10 minutes":                  {"pipeline: is terminated"},
		"it waits for an approval":                         {"pipeline: waits for an approval", "pipeline: waits again"},
		"it was approved":                                  {"pipeline: is approved"},
		"the step `smoke-test` failed":                     {"pipeline: the smoke test fails"},
		"a step failed with a message that matches":        {"pipeline: the smoke test fails"},
		"the step `deploy` succeeded":                      {"pipeline: waits for an approval", "pipeline: the smoke test fails", "pipeline: waits again"},
		"the component `web` is unhealthy":                 {"shop: web becomes unhealthy", "shop: becomes unhealthy"},
		"the component `web` is healthy again":             {"shop: web recovers", "shop: recovers"},
		"any component is unhealthy, and none was before":  {"shop: web becomes unhealthy", "shop: becomes unhealthy"},
		"at least half of the components are unhealthy":    {"shop: web becomes unhealthy", "shop: becomes unhealthy"},
		"a run ended, and all components are healthy":      {"shop: deploy v1", "shop: deploy v2", "shop: web recovers", "pipeline: is approved", "pipeline: the smoke test fails", "pipeline: is terminated"},
		"there is a new revision":                          {"shop: deploy v1", "shop: deploy v2", "shop: web becomes unhealthy", "pipeline: waits for an approval", "pipeline: the smoke test fails", "pipeline: waits again"},
		"there is a new revision, and it is not the first": {"shop: deploy v2", "shop: web becomes unhealthy", "pipeline: the smoke test fails", "pipeline: waits again"},
		"the latest revision is deployed":                  {"shop: deploy v1", "shop: deploy v2", "shop: web recovers", "pipeline: is approved"},
		"the first revision is deployed":                   {"shop: deploy v1", "pipeline: is approved"},
		"its `app.oam.dev/publishVersion` changed":         {"pipeline: waits for an approval", "pipeline: the smoke test fails", "pipeline: waits again"},
		"the component `web` gets another image":           {"shop: deploy v2", "shop: web becomes unhealthy"},
	}
}
