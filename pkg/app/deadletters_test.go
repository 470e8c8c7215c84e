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
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// execute runs kube-trigger with arguments, in this process.
func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// deadLetters lists what triggers gave up.
func deadLetters(t *testing.T, store string) []deadLetter {
	t.Helper()
	text, err := execute(t, "failures", "list", "--store", store, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Failures []deadLetter }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	return list.Failures
}

// TestFailures looks at what was given up, and has it handled again, while
// kube-trigger runs and while it does not.
func TestFailures(t *testing.T) {
	e := newEnv(t)
	for _, name := range []string{"web", "api", "db"} {
		e.createConfigMap(t, name)
	}
	store := filepath.Join(t.TempDir(), "store.db")
	config := writeConfig(t, e.triggers())
	args := []string{"-c", config, "--kubeconfig", e.Kubeconfig, "--store", store}
	if _, err := execute(t, "failures", "list", "--store", store); err == nil || !strings.Contains(err.Error(), "no store at "+store) {
		t.Errorf("without a store: %v", err)
	}
	p := startRun(t, args...)
	p.waitForLog(t, "watching")
	for _, name := range []string{"web", "api", "db"} {
		e.setValue(t, name, "1")
		eventually(t, "a failure of "+name, func() bool {
			return strings.Contains(fmt.Sprint(deadLetters(t, store)), "/"+name)
		})
	}
	web, api, db := deadLetters(t, store)[0], deadLetters(t, store)[1], deadLetters(t, store)[2]
	if web.Trigger != "default/bump" || web.Reason != "TerminalError" || web.Attempts != 1 ||
		!strings.Contains(web.Error, `"web" not found`) || web.Event.Key != e.namespace+"/web" || web.Event.Data != nil {
		t.Errorf("got %+v", web)
	}
	text, err := execute(t, "failures", "show", web.ID, "--store", store)
	var shown deadLetter
	if err := yaml.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatal(err)
	}
	if data, _ := shown.Event.Data["data"].(map[string]any); err != nil || data["v"] != "1" {
		t.Errorf("shown %s, %v", text, err)
	}
	table, err := execute(t, "failures", "list", "--store", store)
	if lines := strings.Split(table, "\n"); err != nil || len(lines) != 5 || !strings.HasPrefix(lines[1], web.ID+"  default/bump  update  "+e.namespace+"/web  TerminalError  1") {
		t.Errorf("table\n%s%v", table, err)
	}
	if _, err := execute(t, "failures", "show", strings.Repeat("0", 32), "--store", store); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("no such failure: %v", err)
	}

	// One is replayed in vain, one with success, while kube-trigger runs.
	e.createApplication(t, "web")
	if _, err := execute(t, "failures", "replay", web.ID, api.ID, "--store", store); err != nil {
		t.Fatal(err)
	}
	p.waitForLog(t, "Action succeeded")
	eventually(t, "the replay to be over", func() bool {
		left := deadLetters(t, store)
		return len(left) == 2 && left[0].ID == db.ID && left[1].ID == api.ID && left[1].Replay == nil
	})
	if version := e.publishVersion(t, "web"); version != "1" {
		t.Errorf("version %q of web", version)
	}
	p.stop(t)

	// What is asked for while kube-trigger does not run happens when it does.
	e.createApplication(t, "api")
	if _, err := execute(t, "failures", "replay", api.ID, "--store", store); err != nil {
		t.Fatal(err)
	}
	if left := deadLetters(t, store); len(left) != 2 || left[1].Replay == nil {
		t.Errorf("failures %+v", left)
	}
	if out, err := execute(t, "failures", "delete", db.ID, "--store", store); err != nil || out != db.ID+" deleted\n" {
		t.Errorf("delete: %q, %v", out, err)
	}
	p = startRun(t, args...)
	p.waitForLog(t, "Action succeeded")
	eventually(t, "nothing to be left", func() bool { return len(deadLetters(t, store)) == 0 })
	if version := e.publishVersion(t, "api"); version != "1" {
		t.Errorf("version %q of api", version)
	}
	p.stop(t)

	other := startRun(t, "-c", writeConfig(t, e.triggers()), "--kubeconfig", e.Kubeconfig, "--store", store)
	if err := <-other.done; err == nil || !strings.Contains(err.Error(), "the store belongs to "+config) || !strings.Contains(err.Error(), "--adopt-store") {
		t.Errorf("another configuration: %v", err)
	}
	other = startRun(t, "-c", writeConfig(t, e.triggers()), "--kubeconfig", e.Kubeconfig, "--store", store, "--adopt-store")
	other.waitForLog(t, "watching")
	other.stop(t)
}

// TestFailuresOfATriggerService does the same in a cluster: the worker finds in
// its store what was asked for.
func TestFailuresOfATriggerService(t *testing.T) {
	e := newEnv(t)
	crds, err := filepath.Glob("../../addon/crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e.Install(t, crds...)
	var service unstructured.Unstructured
	text := fmt.Sprintf("apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerService\nmetadata: {name: notify}\nspec: %s", strings.ReplaceAll(e.triggers(), "\n", "\n  "))
	if err := yaml.Unmarshal([]byte(text), &service.Object); err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(e.Config)
	if err != nil {
		t.Fatal(err)
	}
	services := client.Resource(v1alpha1.GroupVersion().WithResource("triggerservices")).Namespace(e.namespace)
	_, err = services.Create(t.Context(), &service, metav1.CreateOptions{})
	// A controller has checked it.
	_, checked := services.Patch(t.Context(), "notify", types.MergePatchType, []byte(`{"status":{"observedGeneration":1}}`), metav1.PatchOptions{}, "status")
	if err := errors.Join(err, checked); err != nil {
		t.Fatal(err)
	}
	e.createConfigMap(t, "web")
	of := []string{"--trigger-service", e.namespace + "/notify", "--kubeconfig", e.Kubeconfig}
	p := startRun(t, append(of, "--store", "none", "--pod-name", "worker")...)
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "1")
	p.waitForLog(t, "Event dead-lettered")
	var listed struct{ Failures []deadLetter }
	list := func() int {
		t.Helper()
		text, err := execute(t, append([]string{"failures", "list", "-o", "json"}, of...)...)
		if err != nil {
			t.Fatal(err)
		}
		listed.Failures = nil
		if err := json.Unmarshal([]byte(text), &listed); err != nil {
			t.Fatal(err)
		}
		return len(listed.Failures)
	}
	eventually(t, "the failure", func() bool { return list() == 1 })
	if f := listed.Failures[0]; f.Trigger != e.namespace+"/bump" || f.Reason != "TerminalError" {
		t.Errorf("got %+v", f)
	}
	e.createApplication(t, "web")
	if _, err := execute(t, append([]string{"failures", "replay", listed.Failures[0].ID}, of...)...); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the replay to be over", func() bool { return list() == 0 })
	if version := e.publishVersion(t, "web"); version != "1" {
		t.Errorf("version %q", version)
	}
	p.stop(t)
}

func (e env) version(t *testing.T, application string) string {
	t.Helper()
	app, err := e.applications.Get(t.Context(), application, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return app.GetAnnotations()["app.oam.dev/publishVersion"]
}

// TestMonitor asks a run what it does.
func TestMonitor(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	e.createConfigMap(t, "web")
	e.createConfigMap(t, "nothing")
	p := startRun(t, "-c", writeConfig(t, e.triggers()), "--kubeconfig", e.Kubeconfig, "--metrics-addr", "127.0.0.1:0")
	address := fmt.Sprint(p.waitForLog(t, "serving metrics")[0]["address"])
	get := func(path string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	p.waitForLog(t, "watching")
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, text := get(path); status != http.StatusOK || text != "ok\n" {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	e.setValue(t, "web", "1")
	e.setValue(t, "nothing", "1")
	p.waitForLog(t, "Action succeeded")
	p.waitForLog(t, "Event dead-lettered")
	for _, line := range []string{
		`kube_trigger_events_total{outcome="succeeded",reason="",trigger="default/bump"} 1`,
		`kube_trigger_events_total{outcome="dead-lettered",reason="TerminalError",trigger="default/bump"} 1`,
		`kube_trigger_dead_letters_total{trigger="default/bump"} 1`,
		`kube_trigger_action_duration_seconds_count{trigger="default/bump"} 2`,
		`kube_trigger_event_age_seconds_count{trigger="default/bump"} 1`,
		`kube_trigger_queued_events{trigger="default/bump"} 0`,
		`kube_trigger_resume_lag_seconds{trigger="default/bump"} 0`,
		`kube_trigger_quarantined{trigger="default/missing-kind"} 0`,
	} {
		eventually(t, line, func() bool {
			_, text := get("/metrics")
			return strings.Contains(text, "\n"+line+"\n")
		})
	}
	_, text := get("/debug/decisions?trigger=default/bump&key=" + e.namespace + "/nothing")
	var answer struct{ Decisions []map[string]any }
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Decisions) != 3 || answer.Decisions[0]["outcome"] != "dead-lettered" || answer.Decisions[0]["reason"] != "TerminalError" ||
		answer.Decisions[1]["outcome"] != "matched" || answer.Decisions[2]["outcome"] != "queued" {
		t.Errorf("decisions %s", text)
	}
	if status, _ := get("/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("more is served than was asked for: %d", status)
	}
	p.stop(t)
	busy := startRun(t, "-c", writeConfig(t, e.triggers()), "--kubeconfig", e.Kubeconfig, "--metrics-addr", "127.0.0.1:x")
	if err := <-busy.done; err == nil || !strings.Contains(err.Error(), "--metrics-addr 127.0.0.1:x: ") {
		t.Errorf("got %v", err)
	}
}
