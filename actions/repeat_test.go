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
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/test/smtp"
)

// TestRepeated: what an action makes or counts differs per event, also within one second, and
// is the same when the event is handled again at another time. Senders deliver twice
// (frain-dev/convoy#1262, zenml-io/zenml#5215), restarts within one second are lost
// (kubernetes/kubernetes#113040), and what is immutable cannot be applied again
// (app-sre/qontract-reconcile#4257, sapcc/helm-charts#4886).
func TestRepeated(t *testing.T) {
	for name, tc := range map[string]struct {
		action     string
		properties map[string]any
		// count returns how often something was done.
		count func(t *testing.T, e env) int64
	}{
		"run-job": {"run-job", map[string]any{"image": "busybox"}, func(t *testing.T, e env) int64 {
			return int64(len(e.list(t, "batch/v1", "Job")))
		}},
		"start-workflow": {"start-workflow", map[string]any{"workflow": "deploy"}, func(t *testing.T, e env) int64 {
			return int64(len(e.list(t, "core.oam.dev/v1alpha1", "WorkflowRun")))
		}},
		"emit-kubernetes-event": {"emit-kubernetes-event", nil, func(t *testing.T, e env) int64 {
			return int64(len(e.list(t, "v1", "Event")))
		}},
		"record-event": {"record-event", map[string]any{"name": "events"}, func(t *testing.T, e env) int64 {
			events, _, _ := unstructured.NestedSlice(e.get(t, e.newObject("standard.oam.dev/v1alpha1", "EventListener", "events")).Object, "events")
			return int64(len(events))
		}},
		"restart-workload": {"restart-workload", map[string]any{"kind": "Deployment", "name": "web"}, func(t *testing.T, e env) int64 {
			return e.get(t, e.newObject("apps/v1", "Deployment", "web")).GetGeneration() - 1
		}},
		"restart-workload by label": {"restart-workload", map[string]any{"kind": "Deployment", "matchingLabels": map[string]any{"app": "web"}}, func(t *testing.T, e env) int64 {
			return e.get(t, e.newObject("apps/v1", "Deployment", "web")).GetGeneration() - 1
		}},
		"scale-workload": {"scale-workload", map[string]any{"kind": "Deployment", "name": "web", "by": int64(1)}, func(t *testing.T, e env) int64 {
			return field[int64](t, e.get(t, e.newObject("apps/v1", "Deployment", "web")), "spec", "replicas") - 1
		}},
		"bump-application-revision": {"bump-application-revision", map[string]any{"nameSelector": map[string]any{"name": "app"}}, func(t *testing.T, e env) int64 {
			var version int64
			_, _ = fmt.Sscan(e.get(t, e.newObject("core.oam.dev/v1beta1", "Application", "app")).GetAnnotations()["app.oam.dev/publishVersion"], &version)
			return version
		}},
		"bump-application-revision by pattern": {"bump-application-revision", map[string]any{"nameSelector": map[string]any{"pattern": "^app$"}}, func(t *testing.T, e env) int64 {
			var version int64
			_, _ = fmt.Sscan(e.get(t, e.newObject("core.oam.dev/v1beta1", "Application", "app")).GetAnnotations()["app.oam.dev/publishVersion"], &version)
			return version
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := startVela(t)
			cm := configMap(t, e)
			e.deployment(t, "web", 1)
			e.create(t, "core.oam.dev/v1beta1", "Application", "app", nil)
			e.create(t, "standard.oam.dev/v1alpha1", "EventListener", "events", nil)
			act, before := e.action(t, e.Client, tc.action, tc.properties), tc.count(t, e)
			at := time.Unix(1_800_000_000, 0)
			for n, ev := range []event.Event{repeated(cm, "a", at), repeated(cm, "b", at), repeated(cm, "b", at.Add(time.Hour)), repeated(cm, "c", at)} {
				if n == 2 {
					wantUnchanged(t, act, ev, provider.ReasonUnchanged)
				} else {
					wantChanged(t, act, ev)
				}
				if got, want := tc.count(t, e)-before, []int64{1, 2, 2, 3}[n]; got != want {
					t.Errorf("after event %d: done %d times, want %d", n, got, want)
				}
			}
		})
	}
}

// repeated returns an event with an ID that was received at a time.
func repeated(o *unstructured.Unstructured, id string, at time.Time) event.Event {
	ev := updateOf(o)
	ev.ID, ev.Time = id, at
	return ev
}

// TestRepeated_Triggers: two triggers of the same name in two namespaces make a Job each for
// the same event.
func TestRepeated_Triggers(t *testing.T) {
	e := start(t)
	cm := configMap(t, e)
	for _, namespace := range []string{e.namespace, "elsewhere"} {
		other := e
		other.namespace = namespace
		other.mustRun(t, "run-job", map[string]any{"image": "busybox", "namespace": e.namespace}, updateOf(cm))
	}
	if jobs := e.list(t, "batch/v1", "Job"); len(jobs) != 2 {
		t.Errorf("%d Jobs, want 2", len(jobs))
	}
}

// TestNotifyEmail_MessageID: the Message-ID differs per event and per action of the trigger,
// since servers drop a second message with the same one (castlamp/zenbership#59), and is the
// same when the event is repeated, so that they do (Mnexa-AI/e2a#396).
func TestNotifyEmail_MessageID(t *testing.T) {
	e := startWithLoopback(t)
	m := smtp.New(t)
	send := e.action(t, e.Client, "notify-email", map[string]any{
		"from": "trigger@example.com", "to": []any{"a@example.com"}, "server": m.Properties(map[string]any{"tls": "none"}),
	})
	cm := configMap(t, e)
	at := time.Unix(1_800_000_000, 0)
	var ids []string
	for _, ev := range []event.Event{repeated(cm, "a", at), repeated(cm, "a", at.Add(time.Hour)), repeated(cm, "b", at)} {
		if err := send.Run(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
		_, header, _ := m.Take(t)
		ids = append(ids, header.Get("Message-ID"))
	}
	if ids[0] == "" || ids[0] != ids[1] || ids[0] == ids[2] {
		t.Errorf("Message-IDs are %q", ids)
	}
}

// TestRepeated_Steps: two actions of one trigger have an effect each for the same event, and
// none when the event is repeated (argoproj/argo-events#794: of two triggers for one event,
// only the first one ran; Kong/developer.konghq.com#4838: receivers drop CloudEvents with the
// same id and source).
func TestRepeated_Steps(t *testing.T) {
	e := startVela(t)
	e.policy.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	received := map[string]bool{}
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		var sent struct{ ID string }
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		received[sent.ID] = true
	})
	cm := configMap(t, e)
	e.create(t, "standard.oam.dev/v1alpha1", "EventListener", "events", nil)
	for _, tc := range []struct {
		action     string
		properties map[string]any
		count      func() int
	}{
		{"run-job", map[string]any{"image": "busybox"}, func() int { return len(e.list(t, "batch/v1", "Job")) }},
		{"task", map[string]any{"image": "busybox", "name": "another"}, func() int { return len(e.list(t, "batch/v1", "Job")) - 2 }},
		{"emit-kubernetes-event", nil, func() int { return len(e.list(t, "v1", "Event")) }},
		{"start-workflow", map[string]any{"workflow": "w", "concurrency": "Forbid"}, func() int {
			return len(e.list(t, "core.oam.dev/v1alpha1", "WorkflowRun"))
		}},
		{"record-event", map[string]any{"name": "events"}, func() int {
			return len(field[[]any](t, e.get(t, e.newObject("standard.oam.dev/v1alpha1", "EventListener", "events")), "events"))
		}},
		{"send-cloudevent", map[string]any{"url": server.URL}, func() int { return len(received) }},
	} {
		steps := []compiled{e.action(t, e.Client, tc.action, tc.properties), e.action(t, e.Client, tc.action, tc.properties)}
		for range 2 {
			var shared sync.Map
			for _, step := range steps {
				if _, err := step.action.Start(nil, &shared)(t.Context(), updateOf(cm)); err != nil {
					t.Errorf("%s: %v", tc.action, err)
				}
			}
			if got := tc.count(); got != 2 {
				t.Errorf("%s: done %d times, want 2", tc.action, got)
			}
		}
	}
}

// TestRunJob_BeingDeleted: an object of the name that is being deleted is not what was to be
// made (kubernetes-client/python#623, SwissDataScienceCenter/amalthea#141).
func TestRunJob_BeingDeleted(t *testing.T) {
	e := start(t)
	ev := updateOf(configMap(t, e))
	run := e.action(t, e.Client, "run-job", map[string]any{"image": "busybox"})
	if err := run.Run(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	job := e.list(t, "batch/v1", "Job")[0]
	job.SetFinalizers([]string{"example.com/hold"})
	if err := e.Update(t.Context(), &job); err != nil {
		t.Fatal(err)
	}
	if err := e.Delete(t.Context(), job.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := run.Run(t.Context(), ev); !apierrors.IsAlreadyExists(err) || action.IsTerminal(err) || !strings.Contains(err.Error(), "object is being deleted") {
		t.Errorf("got %v, want a retriable error", err)
	}
	held := e.get(t, &job)
	held.SetFinalizers(nil)
	if err := e.Update(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	wantChanged(t, run, ev)
	if jobs := e.list(t, "batch/v1", "Job"); len(jobs) != 1 || jobs[0].GetUID() == job.GetUID() {
		t.Errorf("jobs are %v", jobs)
	}
}
