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
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// Actions that read a ConfigMap, and write down what was read.
const (
	readAction = `
import "vela/kube"

read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: context.data.metadata.name, namespace: context.data.metadata.namespace}}}
result: {value: read.$returns.data.v, uid: read.$returns.metadata.uid}
`
	reportAction = `
import "vela/kube"

write: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "report", namespace: context.data.metadata.namespace}}
	patch: data: data: (context.trigger.name): "\(context.results.measured.value) \(parameter.word)"
}}
parameter: word: string
`
)

// actionTriggers are a trigger whose second action fails and may, and one where it may
// not.
func (e env) actionTriggers() string {
	chain := func(name, onFailure string) string {
		return fmt.Sprintf(`
  - name: %s
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    filter: context.data.metadata.name == "web"
    actions:
      - {name: measured, type: measure}
      - {type: bump-application-revision, onFailure: %s}
      - {type: report, properties: {word: %[1]s}}
`, name, e.namespace, onFailure)
	}
	return "\ntriggers:" + chain("goes-on", "continue") + chain("stops", "stop")
}

func (e env) report(t *testing.T, trigger string) string {
	t.Helper()
	report, err := e.configMaps.Get(t.Context(), "report", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := unstructured.NestedString(report.Object, "data", trigger)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSeveralActions hands results from action to action, leaves out what failed
// where that is right, and gives up where it is not. What was given up begins with
// the first action when it is replayed.
func TestSeveralActions(t *testing.T) {
	e := newEnv(t)
	for _, name := range []string{"web", "report"} {
		e.createConfigMap(t, name)
	}
	store := filepath.Join(t.TempDir(), "store.db")
	p := startRun(t, "-c", writeConfig(t, e.actionTriggers()), "--kubeconfig", e.Kubeconfig, "--store", store,
		"--actions-dir", writeActions(t, map[string]string{"measure.cue": readAction, "report.cue": reportAction}))
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "1")

	p.waitForDecisions(t, 1, "goes-on", "Action succeeded", "")
	left := p.waitForDecisions(t, 1, "goes-on", "Action failed and was skipped", "TerminalError")
	if l := left[0]; l["action"] != "actions[1]" || !strings.Contains(fmt.Sprint(l["error"]), `actions[1]: `) || !strings.Contains(fmt.Sprint(l["error"]), `"web" not found`) {
		t.Errorf("left out %v", l)
	}
	if got := e.report(t, "goes-on"); got != "1 goes-on" {
		t.Errorf("reported %q", got)
	}

	p.waitForDecisions(t, 1, "stops", "Event dead-lettered", "TerminalError")
	eventually(t, "the dead letter", func() bool { return len(deadLetters(t, store)) == 1 })
	letter := deadLetters(t, store)[0]
	if letter.Trigger != "default/stops" || !strings.HasPrefix(letter.Error, "actions[1]: ") || e.report(t, "stops") != "" {
		t.Errorf("got %+v", letter)
	}
	e.createApplication(t, "web")
	if _, err := execute(t, "failures", "replay", letter.ID, "--store", store); err != nil {
		t.Fatal(err)
	}
	p.waitForDecisions(t, 1, "stops", "Action succeeded", "")
	if got, version := e.report(t, "stops"), e.publishVersion(t, "web"); got != "1 stops" || version != "1" {
		t.Errorf("reported %q, version %q", got, version)
	}
	p.stop(t)
}

// TestWrongActions says where what is wrong stands.
func TestWrongActions(t *testing.T) {
	config := writeConfig(t, `triggers:
- name: wrong
  source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap}}
  actions:
    - {name: measured, type: measure}
    - name: told
      type: log
      properties:
        message: |
          It is
          {{.results.mesured.value}}
    - {type: lg}
- name: two
  source: {type: cronjob, properties: {schedule: "@daily"}}
  action: {type: log}
  actions: [{type: log}]
- name: none
  source: {type: cronjob, properties: {schedule: "@daily"}}
`)
	_, err := execute(t, "validate", "-c", config, "--actions-dir", writeActions(t, map[string]string{"measure.cue": readAction}))
	if err == nil {
		t.Fatal("it is right")
	}
	got := strings.ReplaceAll(err.Error(), config, "config.yaml")
	for _, want := range []string{
		`config.yaml:11:21: triggers[0].actions[1].properties.message: .results.mesured: no earlier action has this name; did you mean "measured"?; they are: measured`,
		`config.yaml:12:8: triggers[0].actions[2].type: unknown action "lg"; did you mean "log"?`,
		`config.yaml:16:3: triggers[1].actions: cannot be given beside action`,
		`config.yaml:17:3: triggers[2].action.type: is required; actions: `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// TestSeveralActionsOfATriggerService does it with what the API server has made
// of them.
func TestSeveralActionsOfATriggerService(t *testing.T) {
	e := newEnv(t)
	crds, err := filepath.Glob("../../addon/crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e.Install(t, crds...)
	for _, name := range []string{"web", "report"} {
		e.createConfigMap(t, name)
	}
	client, err := dynamic.NewForConfig(e.Config)
	if err != nil {
		t.Fatal(err)
	}
	services := client.Resource(v1alpha1.GroupVersion().WithResource("triggerservices")).Namespace(e.namespace)
	create := func(spec string) error {
		t.Helper()
		var service unstructured.Unstructured
		text := "apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerService\nmetadata: {name: chain}\nspec: " + strings.ReplaceAll(spec, "\n", "\n  ")
		if err := yaml.Unmarshal([]byte(text), &service.Object); err != nil {
			t.Fatal(err)
		}
		_, err := services.Create(t.Context(), &service, metav1.CreateOptions{})
		return err
	}
	spec := fmt.Sprintf(`
triggers:
  - name: chain
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    filter: context.data.metadata.name == "web"
    actions:
      - {name: job, type: run-job, properties: {image: busybox}}
      - type: patch-application
        properties: {name: nothing, component: web, image: "web:1"}
        onFailure: continue
      - {type: log, properties: {message: "made {{.results.job.name}} in {{.results.job.namespace}}"}}
`, e.namespace)
	neither, _, _ := strings.Cut(spec, "    actions:")
	for _, wrong := range []string{
		neither,
		strings.Replace(spec, "    actions:", "    action: {type: log}\n    actions:", 1),
		strings.Replace(spec, "continue", "go-on", 1),
		strings.Replace(spec, "name: job", "name: 1-job", 1),
	} {
		if err := create(wrong); !apierrors.IsInvalid(err) {
			t.Errorf("got %v for%s", err, wrong)
		}
	}
	err = create(spec)
	// A controller has checked it.
	_, checked := services.Patch(t.Context(), "chain", types.MergePatchType, []byte(`{"status":{"observedGeneration":1}}`), metav1.PatchOptions{}, "status")
	if err := errors.Join(err, checked); err != nil {
		t.Fatal(err)
	}
	p := startRun(t, "--trigger-service", e.namespace+"/chain", "--kubeconfig", e.Kubeconfig, "--store", "none", "--pod-name", "worker")
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "1")
	p.waitForLog(t, "Action failed and was skipped")
	said := fmt.Sprint(p.waitForLog(t, "template says")[0]["message"])
	if want := "made trigger-chain-"; !strings.HasPrefix(said, want) || !strings.HasSuffix(said, " in "+e.namespace) {
		t.Errorf("it says %q", said)
	}
	eventually(t, "the status", func() bool {
		ts, err := services.Get(t.Context(), "chain", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		acted, _, _ := unstructured.NestedInt64(ts.Object, "status", "succeeded")
		return acted == 1
	})
	p.stop(t)
}

// TestSeveralActionsExample runs examples/several-actions.
func TestSeveralActionsExample(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	e.createConfigMap(t, "settings")
	label := []byte(`{"metadata":{"labels":{"trigger.oam.dev/application":"web"}}}`)
	if _, err := e.configMaps.Patch(t.Context(), "settings", types.MergePatchType, label, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	p := e.runExample(t, "several-actions")
	e.setValue(t, "settings", "1")
	p.waitForLog(t, "Action succeeded")
	if said := p.waitForLog(t, "template says"); len(said) != 1 || said[0]["message"] != "web is now 1" {
		t.Errorf("it says %v", said)
	}
	p.stop(t)
	events, err := e.Client(t).CoreV1().Events(e.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(events.Items) != 1 || events.Items[0].Message != "web is now 1" || events.Items[0].InvolvedObject.Name != "settings" {
		t.Errorf("events %v, %v", events, err)
	}
}
