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

package worker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/worker"
)

type subscription struct{ source.Subscription }

func (subscription) Key() string { return "key" }

type always struct{ filter.Filter }

func compiled(name string) trigger.Compiled {
	return trigger.Compiled{Trigger: engine.Trigger{
		TriggerRef: event.TriggerRef{Namespace: "a", Name: name}, SourceType: "telling", Subscription: subscription{},
	}}
}

// begin returns a Status of triggers, which began at the clock's time.
func begin(ts *v1alpha1.TriggerService, triggers ...trigger.Compiled) (*worker.Status, *clocktesting.FakeClock) {
	c := clocktesting.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s := worker.NewStatus(ts, c, func(sourceType string) bool { return sourceType == "telling" })
	s.SetTriggers(worker.Config{Service: ts}, triggers)
	return s, c
}

func decided(name string, o engine.Outcome, attempt int, err error) engine.Decision {
	return engine.Decision{Trigger: event.TriggerRef{Namespace: "a", Name: name}, Outcome: o, Attempt: attempt, Err: err, Time: time.Unix(1, 0)}
}

func TestCounts(t *testing.T) {
	ts := &v1alpha1.TriggerService{}
	ts.Generation = 7
	ts.Status.Triggers = []v1alpha1.TriggerStatus{
		{Name: "one", State: v1alpha1.TriggerInvalid, Reason: "Old", Message: "old", Acted: 10, Filtered: 5},
		{Name: "gone", Acted: 100},
	}
	one := compiled("one")
	one.Filter = always{}
	s, _ := begin(ts, one, compiled("all"))
	s.ObserveWatch("key", nil)
	failed := errors.New("failed")
	for _, d := range []engine.Decision{
		decided("one", engine.Queued, 0, nil), decided("one", engine.Filtered, 0, nil),
		decided("one", engine.Matched, 0, nil), decided("one", engine.Failed, 1, failed), decided("one", engine.Succeeded, 2, nil),
		decided("one", engine.Requeued, 0, nil), decided("one", engine.Suppressed, 0, nil),
		decided("one", engine.DeadLettered, 0, errors.New("filter failed")),
		decided("all", engine.Succeeded, 1, nil), decided("all", engine.Failed, 1, failed), decided("all", engine.DeadLettered, 2, failed),
		decided("nobody", engine.Succeeded, 1, nil),
	} {
		s.Observe(d)
	}
	at := metav1.NewTime(time.Unix(1, 0))
	want := v1alpha1.TriggerServiceStatus{
		WorkerGeneration: 7, Working: "2/2", Acted: 12, DeadLetters: 2, LastActionTime: &at,
		Triggers: []v1alpha1.TriggerStatus{
			{
				Name: "one", State: v1alpha1.TriggerRunning, Matched: 1, Filtered: 6, Acted: 11, Failed: 1, DeadLetters: 1,
				LastEventTime: &at, LastActionTime: &at, LastError: "filter failed", LastErrorTime: &at,
			},
			{
				Name: "all", State: v1alpha1.TriggerRunning, Matched: 2, Acted: 1, Failed: 2, DeadLetters: 1,
				LastEventTime: &at, LastActionTime: &at, LastError: "failed", LastErrorTime: &at,
			},
		},
	}
	if diff := cmp.Diff(want, s.Current(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestStates(t *testing.T) {
	missing := &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "Thing"}, SearchedVersions: []string{"v1"}}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no"))
	sourceFails := func(err error) func(*worker.Status, *clocktesting.FakeClock) {
		return func(s *worker.Status, c *clocktesting.FakeClock) {
			s.ObserveSource(engine.SourceFailure{Triggers: []event.TriggerRef{{Namespace: "a", Name: "t"}}, Err: err, RetryIn: time.Minute, Time: c.Now()})
		}
	}
	waits := func(err error) func(*worker.Status, *clocktesting.FakeClock) {
		return func(s *worker.Status, _ *clocktesting.FakeClock) { s.ObserveWatch("key", err) }
	}
	other := compiled("t")
	other.SourceType = "silent"
	invalid := compiled("t")
	invalid.Problems = diag.List{{Path: "spec", Message: "wrong"}}
	suspended := compiled("t")
	suspended.Suspended = true
	refusing := v1alpha1.TriggerServiceStatus{Refused: []string{"t"}}
	for name, tc := range map[string]struct {
		trigger trigger.Compiled
		status  v1alpha1.TriggerServiceStatus
		then    []func(*worker.Status, *clocktesting.FakeClock)
		state   v1alpha1.TriggerState
		reason  string
	}{
		"starts":           {trigger: compiled("t"), state: v1alpha1.TriggerWaiting, reason: v1alpha1.TriggerReasonStarting},
		"does not tell":    {trigger: other, state: v1alpha1.TriggerRunning},
		"works":            {trigger: compiled("t"), then: []func(*worker.Status, *clocktesting.FakeClock){waits(nil)}, state: v1alpha1.TriggerRunning},
		"invalid":          {trigger: invalid, state: v1alpha1.TriggerInvalid, reason: v1alpha1.TriggerReasonInvalid},
		"refused":          {trigger: invalid, status: refusing, state: v1alpha1.TriggerInvalid, reason: v1alpha1.TriggerReasonRefused},
		"suspended":        {trigger: suspended, state: v1alpha1.TriggerSuspended},
		"kind is missing":  {trigger: compiled("t"), then: []func(*worker.Status, *clocktesting.FakeClock){waits(missing)}, state: v1alpha1.TriggerWaiting, reason: v1alpha1.TriggerReasonKindNotFound},
		"kind has come":    {trigger: compiled("t"), then: []func(*worker.Status, *clocktesting.FakeClock){waits(missing), waits(nil)}, state: v1alpha1.TriggerRunning},
		"source fails":     {trigger: compiled("t"), then: []func(*worker.Status, *clocktesting.FakeClock){sourceFails(errors.New("x"))}, state: v1alpha1.TriggerWaiting, reason: v1alpha1.TriggerReasonSourceFailed},
		"source forbidden": {trigger: compiled("t"), then: []func(*worker.Status, *clocktesting.FakeClock){sourceFails(forbidden)}, state: v1alpha1.TriggerWaiting, reason: v1alpha1.TriggerReasonForbidden},
		"source recovers": {trigger: other, then: []func(*worker.Status, *clocktesting.FakeClock){
			sourceFails(forbidden), func(_ *worker.Status, c *clocktesting.FakeClock) { c.Step(2 * time.Minute) },
		}, state: v1alpha1.TriggerRunning},
		"loop": {trigger: other, then: []func(*worker.Status, *clocktesting.FakeClock){func(s *worker.Status, c *clocktesting.FakeClock) {
			d := decided("t", engine.DeadLettered, 0, errors.New("circle"))
			d.Reason, d.Time = engine.ReasonLoopBroken, c.Now()
			s.Observe(d)
		}}, state: v1alpha1.TriggerRunning, reason: v1alpha1.TriggerReasonLoopBroken},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := begin(&v1alpha1.TriggerService{Status: tc.status}, tc.trigger)
			for _, f := range tc.then {
				f(s, c)
			}
			got := s.Current()
			if trigger := got.Triggers[0]; trigger.State != tc.state || trigger.Reason != tc.reason {
				t.Errorf("%s because %q, want %s because %q", trigger.State, trigger.Reason, tc.state, tc.reason)
			}
			works := map[bool]string{true: "1/1", false: "0/1"}[tc.state == v1alpha1.TriggerRunning || tc.state == v1alpha1.TriggerSuspended]
			if got.Working != works {
				t.Errorf("working %s, want %s", got.Working, works)
			}
		})
	}
}

// TestAway has a trigger run for as long as it hears of any cluster, and others not
// notice.
func TestAway(t *testing.T) {
	ts := &v1alpha1.TriggerService{}
	s, _ := begin(ts, compiled("some"), compiled("none"), compiled("forbidden"), compiled("all"))
	refused := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "", errors.New("no"))
	lost := errors.New("connection refused")
	for name, why := range map[string]error{
		"some":      &multicluster.UnavailableError{Clusters: map[string]error{"b": lost}, Ready: 1},
		"none":      &multicluster.UnavailableError{Clusters: map[string]error{"b": lost}},
		"forbidden": &multicluster.UnavailableError{Clusters: map[string]error{"": refused}},
		"all":       nil,
	} {
		s.ObserveClusters(event.TriggerRef{Namespace: "a", Name: name}, why)
	}
	now := s.Current()
	var got []string
	for _, st := range now.Triggers {
		got = append(got, string(st.State)+" "+st.Reason)
	}
	want := []string{"Running ClusterUnreachable", "Waiting ClusterUnreachable", "Waiting Forbidden", "Running "}
	if diff := cmp.Diff(want, got); diff != "" || now.Working != "2/4" {
		t.Error(now.Working, diff)
	}
	if m := now.Triggers[0].Message; m != `cluster "b": connection refused` {
		t.Errorf("message %q", m)
	}
	s.ObserveClusters(event.TriggerRef{Namespace: "a", Name: "some"}, nil)
	if st := s.Current().Triggers[0]; st.Reason != "" || st.Message != "" {
		t.Errorf("got %v", st)
	}
}
