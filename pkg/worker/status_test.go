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
	"strings"
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

type matchAll struct{ filter.Filter }

func compiled(name string) trigger.Compiled {
	return trigger.Compiled{Trigger: engine.Trigger{
		TriggerRef: event.TriggerRef{Namespace: "a", Name: name}, SourceType: "reporting", Subscription: subscription{},
	}}
}

// newStatus returns a Status of triggers, and its clock.
func newStatus(ts *v1alpha1.TriggerService, triggers ...trigger.Compiled) (*worker.Status, *clocktesting.FakeClock) {
	c := clocktesting.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s := worker.NewStatus(ts, c, func(sourceType string) bool { return sourceType == "reporting" })
	s.SetTriggers(worker.Config{Service: ts}, triggers)
	return s, c
}

func decision(name string, o engine.Outcome, attempt int, err error) engine.Decision {
	return engine.Decision{Trigger: event.TriggerRef{Namespace: "a", Name: name}, Outcome: o, Attempt: attempt, Err: err, Time: time.Unix(1, 0)}
}

// TestStatus_Ignored: the status says why the accepted version is ignored.
func TestStatus_Ignored(t *testing.T) {
	s, _ := newStatus(&v1alpha1.TriggerService{})
	reason := "it is not signed by the controller"
	s.SetIgnored(func() string { return reason })
	if got := s.Current().WorkerMessage; got != reason {
		t.Errorf("got %q", got)
	}
	if reason = ""; s.Current().WorkerMessage != "" {
		t.Error("the message remains")
	}
}

// listing is a subscription to single objects.
type listing struct {
	subscription
	objects []string
}

func (l listing) Objects() []string { return l.objects }

// TestStatus_ConfigObjects: the status counts the single objects of all triggers, each once.
func TestStatus_ConfigObjects(t *testing.T) {
	list := func(name string, objects ...string) trigger.Compiled {
		c := compiled(name)
		c.Subscription = listing{objects: objects}
		return c
	}
	s, _ := newStatus(&v1alpha1.TriggerService{}, compiled("a"))
	if got := s.Current().ConfigObjects; got != nil {
		t.Errorf("without a list: %d", *got)
	}
	s, _ = newStatus(&v1alpha1.TriggerService{}, list("a"))
	if got := s.Current().ConfigObjects; got == nil || *got != 0 {
		t.Errorf("with an empty list: %v, want 0", got)
	}
	s, _ = newStatus(&v1alpha1.TriggerService{}, list("a", "ConfigMap a", "Secret b"), compiled("b"), list("c", "ConfigMap a"))
	if got := s.Current().ConfigObjects; got == nil || *got != 2 {
		t.Errorf("with lists: %v, want 2", got)
	}
}

func TestStatus_Counts(t *testing.T) {
	ts := &v1alpha1.TriggerService{}
	ts.Generation = 7
	ts.Status.Triggers = []v1alpha1.TriggerStatus{
		{Name: "one", State: v1alpha1.TriggerInvalid, Reason: "Old", Message: "old", Succeeded: 10, Filtered: 5},
		{Name: "gone", Succeeded: 100},
	}
	one := compiled("one")
	one.Filter = matchAll{}
	s, _ := newStatus(ts, one, compiled("all"))
	s.ObserveWatch("key", nil)
	failed := errors.New("failed")
	unchanged := decision("all", engine.Succeeded, 1, nil)
	unchanged.Reason = engine.ReasonUnchanged
	for _, d := range []engine.Decision{
		unchanged,
		decision("one", engine.Queued, 0, nil), decision("one", engine.Filtered, 0, nil),
		decision("one", engine.Matched, 0, nil), decision("one", engine.Failed, 1, failed), decision("one", engine.Succeeded, 2, nil),
		decision("one", engine.Requeued, 0, nil), decision("one", engine.Suppressed, 0, nil),
		decision("one", engine.DeadLettered, 0, errors.New("filter failed")),
		decision("all", engine.Succeeded, 1, nil), decision("all", engine.Failed, 1, failed), decision("all", engine.DeadLettered, 2, failed),
		decision("unknown", engine.Succeeded, 1, nil),
	} {
		s.Observe(d)
	}
	at := metav1.NewTime(time.Unix(1, 0))
	want := v1alpha1.TriggerServiceStatus{
		WorkerGeneration: 7, ReadyTriggers: "2/2", Succeeded: 13, DeadLetters: 2, LastActionTime: &at,
		Triggers: []v1alpha1.TriggerStatus{
			{
				Name: "one", State: v1alpha1.TriggerRunning, Matched: 1, Filtered: 6, Succeeded: 11, Failed: 1, DeadLetters: 1,
				LastEventTime: &at, LastActionTime: &at, LastError: "filter failed", LastErrorTime: &at,
			},
			{
				Name: "all", State: v1alpha1.TriggerRunning, Matched: 3, Succeeded: 2, Unchanged: 1, Failed: 2, DeadLetters: 1,
				LastEventTime: &at, LastActionTime: &at, LastError: "failed", LastErrorTime: &at,
			},
		},
	}
	if diff := cmp.Diff(want, s.Current(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// TestStatus_Rejections shows rejected requests at once, and then at most once a minute, also
// across generations.
func TestStatus_Rejections(t *testing.T) {
	ts := &v1alpha1.TriggerService{}
	ts.Status.Triggers = []v1alpha1.TriggerStatus{{Name: "one", RejectedRequests: 10}}
	s, c := newStatus(ts, compiled("one"), compiled("two"))
	ref := func(name string) event.TriggerRef { return event.TriggerRef{Namespace: "a", Name: name} }
	counts := func() (one, two int64, last string) {
		status := s.Current().Triggers
		return status[0].RejectedRequests, status[1].RejectedRequests, status[0].LastRejection
	}
	check := func(wantOne, wantTwo int64, wantLast string) {
		t.Helper()
		if one, two, last := counts(); one != wantOne || two != wantTwo || last != wantLast {
			t.Errorf("got %d, %d, %q, want %d, %d, %q", one, two, last, wantOne, wantTwo, wantLast)
		}
	}
	s.ObserveRejection(ref("unknown"), "x", c.Now())
	check(10, 0, "")
	s.ObserveRejection(ref("one"), "wrong token", c.Now())
	check(11, 0, "wrong token")
	if at := s.Current().Triggers[0].LastRejectionTime; at == nil || !at.Time.Equal(c.Now()) {
		t.Errorf("time %v", at)
	}
	for range 5 {
		c.Step(10 * time.Second)
		s.ObserveRejection(ref("one"), "later", c.Now())
		s.ObserveRejection(ref("two"), "later", c.Now())
		check(11, 0, "wrong token")
	}
	s.SetTriggers(worker.Config{Service: ts}, []trigger.Compiled{compiled("one"), compiled("two")})
	check(11, 0, "wrong token")
	c.Step(10 * time.Second)
	check(16, 5, "later")
	s.ObserveRejection(ref("one"), strings.Repeat("x", 1000), c.Now())
	c.Step(time.Minute)
	if _, _, last := counts(); len(last) > 512 {
		t.Errorf("%d bytes", len(last))
	}
}

func TestStatus_State(t *testing.T) {
	missing := &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "Thing"}, SearchedVersions: []string{"v1"}}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no"))
	sourceFailed := func(err error) func(*worker.Status, *clocktesting.FakeClock) {
		return func(s *worker.Status, c *clocktesting.FakeClock) {
			s.ObserveSource(engine.SourceFailure{Triggers: []event.TriggerRef{{Namespace: "a", Name: "t"}}, Err: err, RetryIn: time.Minute, Time: c.Now()})
		}
	}
	watch := func(err error) func(*worker.Status, *clocktesting.FakeClock) {
		return func(s *worker.Status, _ *clocktesting.FakeClock) { s.ObserveWatch("key", err) }
	}
	other := compiled("t")
	other.SourceType = "silent"
	invalid := compiled("t")
	invalid.Problems = diag.List{{Path: "spec", Message: "wrong"}}
	suspended := compiled("t")
	suspended.Suspended = true
	rejecting := map[string]string{"t": "too slow"}
	for name, tc := range map[string]struct {
		trigger trigger.Compiled
		reject  map[string]string
		steps   []func(*worker.Status, *clocktesting.FakeClock)
		state   v1alpha1.TriggerState
		reason  string
	}{
		"starting":         {trigger: compiled("t"), state: v1alpha1.TriggerWaiting, reason: v1alpha1.TriggerReasonStarting},
		"no-reports":       {trigger: other, state: v1alpha1.TriggerRunning},
		"running":          {trigger: compiled("t"), steps: []func(*worker.Status, *clocktesting.FakeClock){watch(nil)}, state: v1alpha1.TriggerRunning},
		"invalid":          {trigger: invalid, state: v1alpha1.TriggerInvalid, reason: v1alpha1.TriggerReasonInvalid},
		"rejected":         {trigger: invalid, reject: rejecting, state: v1alpha1.TriggerInvalid, reason: v1alpha1.TriggerReasonRejected},
		"suspended":        {trigger: suspended, state: v1alpha1.TriggerSuspended},
		"kind-missing":     {trigger: compiled("t"), steps: []func(*worker.Status, *clocktesting.FakeClock){watch(missing)}, state: v1alpha1.TriggerWaiting, reason: v1alpha1.TriggerReasonKindNotFound},
		"kind-installed":   {trigger: compiled("t"), steps: []func(*worker.Status, *clocktesting.FakeClock){watch(missing), watch(nil)}, state: v1alpha1.TriggerRunning},
		"source-failed":    {trigger: compiled("t"), steps: []func(*worker.Status, *clocktesting.FakeClock){sourceFailed(errors.New("x"))}, state: v1alpha1.TriggerWaiting, reason: v1alpha1.TriggerReasonSourceFailed},
		"source-forbidden": {trigger: compiled("t"), steps: []func(*worker.Status, *clocktesting.FakeClock){sourceFailed(forbidden)}, state: v1alpha1.TriggerWaiting, reason: v1alpha1.TriggerReasonForbidden},
		"source-recovered": {trigger: other, steps: []func(*worker.Status, *clocktesting.FakeClock){
			sourceFailed(forbidden), func(_ *worker.Status, c *clocktesting.FakeClock) { c.Step(2 * time.Minute) },
		}, state: v1alpha1.TriggerRunning},
		"loop": {trigger: other, steps: []func(*worker.Status, *clocktesting.FakeClock){func(s *worker.Status, c *clocktesting.FakeClock) {
			d := decision("t", engine.DeadLettered, 0, errors.New("loop"))
			d.Reason, d.Time = engine.ReasonLoopBroken, c.Now()
			s.Observe(d)
		}}, state: v1alpha1.TriggerRunning, reason: v1alpha1.TriggerReasonLoopBroken},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := newStatus(&v1alpha1.TriggerService{}, tc.trigger)
			if tc.reject != nil {
				s.SetTriggers(worker.Config{Service: &v1alpha1.TriggerService{}, Rejected: tc.reject}, []trigger.Compiled{tc.trigger})
			}
			for _, f := range tc.steps {
				f(s, c)
			}
			got := s.Current()
			if trigger := got.Triggers[0]; trigger.State != tc.state || trigger.Reason != tc.reason {
				t.Errorf("state %s, reason %q; want %s, %q", trigger.State, trigger.Reason, tc.state, tc.reason)
			}
			running := map[bool]string{true: "1/1", false: "0/1"}[tc.state == v1alpha1.TriggerRunning || tc.state == v1alpha1.TriggerSuspended]
			if got.ReadyTriggers != running {
				t.Errorf("running %s, want %s", got.ReadyTriggers, running)
			}
		})
	}
}

// TestStatus_Clusters: a trigger is running as long as one of its clusters is watched,
// and its errors do not affect other triggers.
func TestStatus_Clusters(t *testing.T) {
	ts := &v1alpha1.TriggerService{}
	s, _ := newStatus(ts, compiled("some"), compiled("none"), compiled("forbidden"), compiled("all"))
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "", errors.New("no"))
	unreachable := errors.New("connection refused")
	for name, err := range map[string]error{
		"some":      &multicluster.UnavailableError{Clusters: map[string]error{"b": unreachable}, Ready: 1},
		"none":      &multicluster.UnavailableError{Clusters: map[string]error{"b": unreachable}},
		"forbidden": &multicluster.UnavailableError{Clusters: map[string]error{"": forbidden}},
		"all":       nil,
	} {
		s.ObserveClusters(event.TriggerRef{Namespace: "a", Name: name}, err)
	}
	status := s.Current()
	var got []string
	for _, st := range status.Triggers {
		got = append(got, string(st.State)+" "+st.Reason)
	}
	want := []string{"Running ClusterUnreachable", "Waiting ClusterUnreachable", "Waiting Forbidden", "Running "}
	if diff := cmp.Diff(want, got); diff != "" || status.ReadyTriggers != "2/4" {
		t.Error(status.ReadyTriggers, diff)
	}
	if m := status.Triggers[0].Message; m != `cluster "b": connection refused` {
		t.Errorf("message %q", m)
	}
	s.ObserveClusters(event.TriggerRef{Namespace: "a", Name: "some"}, nil)
	if st := s.Current().Triggers[0]; st.Reason != "" || st.Message != "" {
		t.Errorf("got %v", st)
	}
}
