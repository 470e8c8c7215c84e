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
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestExample_Cron runs examples/cron every second instead of every night.
func TestExample_Cron(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	config := strings.NewReplacer(`"30 2 * * *"`, `"* * * * * *"`, ", jitter: 5m", "").Replace(exampleConfig(t, "cron", e.namespace))
	p := startRun(t, e.options(t, config))
	if l := p.waitForLog(t, "Action succeeded")[0]; l["trigger"] != "default/nightly" {
		t.Errorf("got %v", l)
	}
	p.stop(t)
	if e.publishVersion(t, "web") == "" {
		t.Error("no version")
	}
}

// TestExample_Application runs examples/application.
func TestExample_Application(t *testing.T) {
	e := newEnv(t)
	p := e.runExample(t, "application")
	e.createApplication(t, "web")
	status := `{"status": {"workflow": {"appRevision": "web-v1", "mode": "DAG", "suspend": false, "terminated": false,
		"status": "failed", "finished": true, "message": "step deploy failed"}}}`
	if _, err := e.applications.Patch(t.Context(), "web", types.MergePatchType, []byte(status), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	if l := p.waitForLog(t, "Action succeeded")[0]; l["trigger"] != "default/workflow-failed" {
		t.Errorf("got %v", l)
	}
	p.stop(t)
	events, err := e.Client(t).CoreV1().Events(e.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(events.Items) != 1 {
		t.Fatalf("events %v, %v", events, err)
	}
	if ev := events.Items[0]; ev.Reason != "WorkflowFailed" || ev.InvolvedObject.Name != "web" || ev.Message != "workflow of web-v1: step deploy failed" {
		t.Errorf("got %v", ev)
	}
}

// TestExample_Event runs examples/event.
func TestExample_Event(t *testing.T) {
	e := newEnv(t)
	p := e.runExample(t, "event")
	for _, reason := range []string{"Killing", "BackOff"} {
		_, err := e.Client(t).EventsV1().Events(e.namespace).Create(t.Context(), &eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "web-"},
			EventTime:  metav1.NewMicroTime(time.Now()), Reason: reason, Type: "Warning", Action: "Test", Note: "restarting",
			ReportingController: "example.com/test", ReportingInstance: "test-0",
			Regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: e.namespace, Name: "web-0"},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	p.waitForLog(t, "Action succeeded")
	if got := p.waitForLog(t, "template message"); len(got) != 1 || got[0]["message"] != "web-0: BackOff, restarting" {
		t.Errorf("got %v", got)
	}
	p.stop(t)
}

// TestExample_SeveralActions runs examples/several-actions.
func TestExample_SeveralActions(t *testing.T) {
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
	if lines := p.waitForLog(t, "template message"); len(lines) != 1 || lines[0]["message"] != "web is now 1" {
		t.Errorf("got %v", lines)
	}
	p.stop(t)
	events, err := e.Client(t).CoreV1().Events(e.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(events.Items) != 1 || events.Items[0].Message != "web is now 1" || events.Items[0].InvolvedObject.Name != "settings" {
		t.Errorf("events %v, %v", events, err)
	}
}
