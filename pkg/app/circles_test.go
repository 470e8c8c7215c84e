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
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestCircle_Events has the trigger of kyverno/kyverno#1941 in kube-trigger: it watches
// Kubernetes Events, and emits one for each.
func TestCircle_Events(t *testing.T) {
	e := newEnv(t)
	p := startRunAt(t, e.options(t, fmt.Sprintf(`
triggers:
  - name: note-events
    source: {type: event, properties: {namespace: %s}}
    action: {type: emit-kubernetes-event, properties: {reason: Seen, message: "saw {{.data.reason}}"}}
`, e.namespace)), "debug")
	p.waitForLog(t, "watching")
	events := e.Client(t).CoreV1().Events(e.namespace)
	first := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "first"},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Name: "web-0", Namespace: e.namespace},
		Reason:         "Started", Type: corev1.EventTypeNormal, Message: "started", Count: 1,
	}
	if _, err := events.Create(t.Context(), first, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.waitForDecisions(t, 1, "note-events", "Event suppressed", "OwnWrite")
	all, err := events.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Items) != 2 || len(p.waitForDecisions(t, 1, "note-events", "Action succeeded", "")) != 1 {
		t.Errorf("%d Events", len(all.Items))
	}
	p.stop(t)
}

// TestCircle_Webhook calls a server that calls back, and passes on all headers or the
// CloudEvent, as a Sink of a Knative Trigger does in knative/eventing#6392: the chain is
// known, and its 31st turn is a dead letter.
func TestCircle_Webhook(t *testing.T) {
	for name, action := range map[string]string{
		"headers":    `{type: http-request, properties: {url: "%s", method: POST, body: {}}}`,
		"CloudEvent": `{type: send-cloudevent, properties: {url: "%s", type: turn}}`,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			calls := make(chan *http.Request, 100)
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				next, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				next.Header.Set("Content-Type", r.Header.Get("Content-Type"))
				if name == "headers" {
					next.Header = r.Header.Clone()
				}
				calls <- next
			}))
			defer server.Close()
			o := e.options(t, "triggers:\n  - name: back\n    source: {type: webhook, properties: {path: /back, auth: none}}\n    action: "+fmt.Sprintf(action, server.URL)+"\n")
			o.WebhookAddr, o.AllowAddresses = "127.0.0.1:0", []string{"127.0.0.1"}
			p := startRunAt(t, o, "debug")
			p.waitForLog(t, "webhook accepts requests")
			url := fmt.Sprintf("http://%s/back", p.waitForLog(t, "webhook server listens")[0]["address"])
			post := func(r *http.Request, delivery string) {
				t.Helper()
				target, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, r.Body)
				if err != nil {
					t.Fatal(err)
				}
				target.Header = r.Header
				target.Header.Set("X-Delivery-Id", delivery)
				response, err := http.DefaultClient.Do(target)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
			}
			first, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			first.Header.Set("Content-Type", "application/json")
			post(first, "first")
			for i := range 31 {
				r := cluster.Receive(t, fmt.Sprint("call ", i), calls)
				if i == 0 && name == "headers" && event.ParseCauses(r.Header.Get(event.CausesHeader)) == nil {
					t.Errorf("a call has no causes: %v", r.Header)
				}
				post(r, fmt.Sprint(i))
			}
			p.waitForDecisions(t, 1, "back", "Event dead-lettered", "LoopBroken")
			p.stop(t)
			if len(calls) != 0 {
				t.Error("the circle goes on")
			}
		})
	}
}

// TestCircle_Status runs a Job for each ConfigMap, and a controller that is not ours
// makes a ConfigMap for each Job. The status says that the trigger is paused, as long as
// the controller runs.
func TestCircle_Status(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createCheckedService(t, "circle", fmt.Sprintf(`
triggers:
  - name: jobs
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [create]}}
    filter: context.data.metadata.name =~ "^of-"
    action: {type: run-job, properties: {image: work}}
`, e.namespace))
	p := startRun(t, e.serviceOptions("circle"))
	p.waitForLog(t, "watching")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	jobs, err := e.Client(t).BatchV1().Jobs(e.namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	controlled := make(chan struct{})
	go func() {
		defer close(controlled)
		for ev := range jobs.ResultChan() {
			if job, ok := ev.Object.(*batchv1.Job); ok && ev.Type == watch.Added {
				cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "of-" + job.Name}}
				if _, err := e.Client(t).CoreV1().ConfigMaps(e.namespace).Create(ctx, cm, metav1.CreateOptions{}); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		}
	}()
	e.createConfigMap(t, "of-nothing")
	status := func() (state, reason, message string) {
		t.Helper()
		u, err := e.services.Get(t.Context(), "circle", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all, _, _ := unstructured.NestedSlice(u.Object, "status", "triggers")
		if len(all) != 1 {
			return "", "", ""
		}
		s, _ := all[0].(map[string]any)
		return fmt.Sprint(s["state"]), fmt.Sprint(s["reason"]), fmt.Sprint(s["message"])
	}
	eventually(t, "the pause in the status", func() bool {
		state, reason, message := status()
		return state == "Paused" && reason == "LoopSuspected" && strings.Contains(message, "31 events followed the trigger's own actions")
	})
	p.waitForLog(t, "Trigger paused: its events seem to be caused by its own actions")
	stop()
	jobs.Stop()
	cluster.Receive(t, "the end of the controller", controlled)
	eventually(t, "the end of the pause", func() bool { state, _, _ := status(); return state == "Running" })
	if n := len(p.waitForLog(t, "Action succeeded")); n > 60 {
		t.Errorf("%d actions", n)
	}
	p.stop(t)
}

// setBack has a client that sets data.v of a ConfigMap back to "theirs" when it is "ours",
// until stop is called.
func (e env) setBack(t *testing.T, name string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	all, err := e.configMaps.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ev := range all.ResultChan() {
			o, ok := ev.Object.(*unstructured.Unstructured)
			if !ok || configMapValue(o) != "ours" {
				continue
			}
			theirs := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q},"data":{"v":"theirs"}}`, name)
			if _, err := e.configMaps.Patch(ctx, name, types.ApplyPatchType, theirs, metav1.PatchOptions{FieldManager: "sync", Force: new(true)}); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}()
	return func() {
		cancel()
		all.Stop()
		<-ended
	}
}

func configMapValue(o *unstructured.Unstructured) string {
	v, _, _ := unstructured.NestedString(o.Object, "data", "v")
	return v
}

// TestCircle_Undone has a client that sets back what the trigger sets, as in
// argoproj-labs/argocd-image-updater#1237. The events of that object wait, and those of
// others do not.
func TestCircle_Undone(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createConfigMap(t, "contested")
	e.createConfigMap(t, "quiet")
	e.createCheckedService(t, "pin", fmt.Sprintf(`
triggers:
  - name: pin
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    filter: context.data.data.v != "ours"
    action:
      type: patch-resource
      properties: {resource: {apiVersion: v1, kind: ConfigMap, name: "{{.data.metadata.name}}", namespace: %[1]s}, patch: {data: {data: {v: ours}}}}
`, e.namespace))
	p := startRunAt(t, e.serviceOptions("pin"), "debug")
	p.waitForLog(t, "watching")
	stop := e.setBack(t, "contested")
	defer stop()
	e.setValue(t, "contested", "first")
	waits := p.waitForLog(t, "Events of an object wait: another client undoes each write of the trigger")
	if waits[0]["key"] != e.namespace+"/contested" || waits[0]["undone"] != 30.0 || waits[0]["reason"] != "LoopSuspected" {
		t.Errorf("got %v", waits[0])
	}
	p.waitForLog(t, "Event queued")
	valueOf := func(name string) string {
		t.Helper()
		o, err := e.configMaps.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return configMapValue(o)
	}
	e.setValue(t, "quiet", "first")
	eventually(t, "an action on another object", func() bool { return valueOf("quiet") == "ours" })
	eventually(t, "the object in the status", func() bool {
		u, err := e.services.Get(t.Context(), "pin", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all, _, _ := unstructured.NestedSlice(u.Object, "status", "triggers")
		if len(all) != 1 {
			return false
		}
		s, _ := all[0].(map[string]any)
		return s["state"] == "Running" && s["reason"] == "LoopSuspected" && strings.Contains(fmt.Sprint(s["message"]), "undid the trigger's write to "+e.namespace+"/contested")
	})
	stop()
	eventually(t, "the trigger's value", func() bool { return valueOf("contested") == "ours" })
	if n := len(p.waitForLog(t, "Action succeeded")); n > 60 {
		t.Errorf("%d actions", n)
	}
	if n := len(p.linesWhere(func(l map[string]any) bool { return l["msg"] == "Event dead-lettered" })); n > 0 {
		t.Errorf("%d dead letters", n)
	}
	p.stop(t)
}

// TestChain_AnotherProcess has a trigger of another process that writes an object often,
// as the instances of an operator on each node do in falcosecurity/falco-operator#356.
// Here the chain is no circle: each event is handled.
func TestChain_AnotherProcess(t *testing.T) {
	e := newEnv(t)
	for _, name := range []string{"source", "gauge"} { // field managers are tracked from the first field on
		create(t, e.configMaps, map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"v": ""}}, name)
	}
	writer := e.runPolicies(t, e.copyTrigger("writer", "source", "gauge", ""))
	reader := startRunAt(t, e.options(t, fmt.Sprintf(`
triggers:
  - name: reader
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
    filter: context.data.metadata.name == "gauge"
    action: {type: emit-kubernetes-event, properties: {reason: Changed, message: changed}}
`, e.namespace)), "debug")
	reader.waitForLog(t, "watching")
	gauge, err := e.configMaps.Get(t.Context(), "gauge", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a later second, by which the last field manager is known", func() bool {
		return time.Now().Unix() > gauge.GetCreationTimestamp().Unix()
	})
	const updates = 40
	for i := range updates {
		e.setValue(t, "source", fmt.Sprint(i))
	}
	writer.waitForDecisions(t, updates, "writer", "Action succeeded", "")
	reader.waitForDecisions(t, updates, "reader", "Action succeeded", "")
	reader.stop(t)
	writer.stop(t)
}
