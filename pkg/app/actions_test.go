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
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Templates of an action that reads a ConfigMap, and one that writes the result to
// another ConfigMap.
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

// actionTriggers are two triggers whose second action fails. It is optional in the
// trigger goes-on, and required in stops.
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
    retry: {limit: 0}
`, name, e.namespace, onFailure)
	}
	return "\ntriggers:" + chain("goes-on", "continue") + chain("stops", "stop")
}

// report returns the text that the report action of a trigger has written.
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

// TestSeveralActions covers results of earlier actions, and a failing action: an
// optional one is skipped; a required one dead-letters the event, whose replay
// starts at the first action.
func TestSeveralActions(t *testing.T) {
	e := newEnv(t)
	for _, name := range []string{"web", "report"} {
		e.createConfigMap(t, name)
	}
	o := e.options(t, e.actionTriggers())
	o.ActionsDir = writeActions(t, map[string]string{"measure.cue": readAction, "report.cue": reportAction})
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "1")

	p.waitForDecisions(t, 1, "goes-on", "Action succeeded", "")
	skipped := p.waitForDecisions(t, 1, "goes-on", "Action failed and was skipped", "RetriesExhausted")
	if l := skipped[0]; l["action"] != "actions[1]" || !strings.Contains(fmt.Sprint(l["error"]), `actions[1]: `) || !strings.Contains(fmt.Sprint(l["error"]), `"web" not found`) {
		t.Errorf("skipped %v", l)
	}
	if got := e.report(t, "goes-on"); got != "1 goes-on" {
		t.Errorf("reported %q", got)
	}

	p.waitForDecisions(t, 1, "stops", "Event dead-lettered", "RetriesExhausted")
	eventually(t, "the dead letter", func() bool { return len(listDeadLetters(t, o.StoreOptions)) == 1 })
	letter := listDeadLetters(t, o.StoreOptions)[0]
	if letter.Trigger.String() != "default/stops" || !strings.HasPrefix(letter.Error, "actions[1]: ") || e.report(t, "stops") != "" {
		t.Errorf("got %+v", letter)
	}
	e.createApplication(t, "web")
	requestReplay(t, o.StoreOptions, letter.ID)
	p.waitForDecisions(t, 1, "stops", "Action succeeded", "")
	if got, version := e.report(t, "stops"), e.publishVersion(t, "web"); got != "1 stops" || version != "1" {
		t.Errorf("reported %q, version %q", got, version)
	}
	p.stop(t)
}

// TestSeveralActions_Invalid reports problems with their positions.
func TestSeveralActions_Invalid(t *testing.T) {
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
	_, err := Validate(t.Context(), ValidateOptions{Config: config, ActionsDir: writeActions(t, map[string]string{"measure.cue": readAction})})
	if !errors.As(err, &InvalidError{}) {
		t.Fatalf("got %v", err)
	}
	got := strings.ReplaceAll(err.Error(), config, "config.yaml")
	for _, want := range []string{
		`config.yaml:11:13: triggers[0].actions[1].properties.message: .results.mesured: no earlier action has this name; did you mean "measured"?; earlier actions: measured`,
		`config.yaml:12:8: triggers[0].actions[2].type: unknown action "lg"; did you mean "log"?`,
		`config.yaml:16:3: triggers[1].actions: exactly one of action and actions must be set`,
		`config.yaml:17:3: triggers[2].action.type: is required; actions: `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// TestSeveralActions_TriggerService covers actions that have passed the schema of the
// CRD.
func TestSeveralActions_TriggerService(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	for _, name := range []string{"web", "report"} {
		e.createConfigMap(t, name)
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
    retry: {limit: 0}
`, e.namespace)
	noActions, _, _ := strings.Cut(spec, "    actions:")
	for _, wrong := range []string{
		noActions,
		strings.Replace(spec, "    actions:", "    action: {type: log}\n    actions:", 1),
		strings.Replace(spec, "continue", "go-on", 1),
		strings.Replace(spec, "name: job", "name: 1-job", 1),
	} {
		if err := e.createService(t, "chain", wrong); !apierrors.IsInvalid(err) {
			t.Errorf("got %v for%s", err, wrong)
		}
	}
	e.createCheckedService(t, "chain", spec)
	p := startRun(t, e.serviceOptions("chain"))
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "1")
	p.waitForLog(t, "Action failed and was skipped")
	message := fmt.Sprint(p.waitForLog(t, "template message")[0]["message"])
	if want := "made trigger-chain-"; !strings.HasPrefix(message, want) || !strings.HasSuffix(message, " in "+e.namespace) {
		t.Errorf("message %q", message)
	}
	eventually(t, "the status", func() bool {
		ts, err := e.services.Get(t.Context(), "chain", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		succeeded, _, _ := unstructured.NestedInt64(ts.Object, "status", "succeeded")
		return succeeded == 1
	})
	p.stop(t)
}

// TestComputedProperties applies an object that is computed from the event and an earlier
// result, and reports what a message lacks.
func TestComputedProperties(t *testing.T) {
	e := newEnv(t)
	e.createConfigMap(t, "web")
	o := e.options(t, fmt.Sprintf(`
triggers:
  - name: copies
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    filter: context.data.metadata.name == "web"
    actions:
      - {name: measured, type: measure}
      - type: apply-resource
        cue: |
          resource: {
            apiVersion: "v1", kind: "ConfigMap"
            metadata: {name: "copy-of-" + context.data.metadata.name, namespace: context.data.metadata.namespace}
            data: {for k, v in context.data.data {(strings.ToUpper(k)): v}, value: context.results.measured.value}
          }
      - {type: log, properties: {message: "{{.data.metadata.name}} {{.data.status.phase}}"}}
`, e.namespace))
	o.ActionsDir = writeActions(t, map[string]string{"measure.cue": readAction})
	p := startRun(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "7")
	done := p.waitForDecisions(t, 1, "copies", "Action succeeded", "")
	if got := fmt.Sprint(done[0]["warnings"]); got != "[message:1:25: {{.data.status.phase}} is absent]" {
		t.Errorf("warnings %s", got)
	}
	got, err := e.configMaps.Get(t.Context(), "copy-of-web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if data := fmt.Sprint(got.Object["data"]); data != "map[V:7 value:7]" {
		t.Errorf("data %s", data)
	}
	p.stop(t)
}
