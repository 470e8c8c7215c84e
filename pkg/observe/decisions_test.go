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

package observe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
	"github.com/kubevela/kube-trigger/pkg/source"
)

func midday() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// decision returns the nth decision of a trigger.
func decision(trigger, key string, n int) engine.Decision {
	return engine.Decision{
		Trigger: event.TriggerRef{Name: trigger, Namespace: "default"}, Outcome: engine.Succeeded, Attempt: n,
		Event: engine.EventRef{Source: "resource-watcher", Type: event.Update, Key: key, ID: fmt.Sprint(n)},
		Time:  midday().Add(time.Duration(n) * time.Second),
	}
}

// TestDecisionLog_Limit has one trigger make more decisions than are kept: its
// latest ones are kept, and all of the other trigger's.
func TestDecisionLog_Limit(t *testing.T) {
	var r observe.DecisionLog
	r.Observe(decision("quiet", "a", 1))
	for n := range 3*observe.MaxDecisions + 7 {
		r.Observe(decision("busy", "b", n))
	}
	busy := r.Recent("default/busy", "", observe.DescribeError)
	if len(busy) != observe.MaxDecisions {
		t.Fatalf("%d decisions, want %d", len(busy), observe.MaxDecisions)
	}
	for i, d := range busy {
		if want := 3*observe.MaxDecisions + 6 - i; d.Attempt != want {
			t.Fatalf("decision %d is number %d, want %d", i, d.Attempt, want)
		}
	}
	if quiet := r.Recent("default/quiet", "", observe.DescribeError); len(quiet) != 1 || quiet[0].Event.Key != "a" {
		t.Errorf("decisions of the other trigger: %+v", quiet)
	}
	if all := r.Recent("", "", observe.DescribeError); len(all) != observe.MaxDecisions+1 || all[len(all)-1].Trigger != "default/quiet" {
		t.Errorf("%d decisions, the last is %+v", len(all), all[len(all)-1])
	}
	if none := r.Recent("default/busy", "a", observe.DescribeError); len(none) != 0 {
		t.Errorf("decisions of another key: %+v", none)
	}
	r.Retain([]event.TriggerRef{{Name: "quiet", Namespace: "default"}})
	if all := r.Recent("", "", observe.DescribeError); len(all) != 1 {
		t.Errorf("%d decisions of removed triggers", len(all)-1)
	}
}

func TestDecisionLog_NotSubscribed(t *testing.T) {
	var r observe.DecisionLog
	d := decision("t", "a", 1)
	d.Outcome, d.Reason = engine.Suppressed, string(source.NotSubscribed)
	r.Observe(d)
	d.Reason = string(source.NoChange)
	r.Observe(d)
	if all := r.Recent("", "", observe.DescribeError); len(all) != 1 || all[0].Reason != string(source.NoChange) {
		t.Errorf("got %+v", all)
	}
}

func TestDecisionHandler(t *testing.T) {
	var r observe.DecisionLog
	own := &observe.DecisionLog{Service: "main"}
	get := func(query string) string {
		w := httptest.NewRecorder()
		observe.DecisionHandler(observe.DescribeError, func() []*observe.DecisionLog { return []*observe.DecisionLog{&r, own} }).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/debug/decisions"+query, http.NoBody))
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("content type %q", got)
		}
		return w.Body.String()
	}
	if got := get(""); got != `{"decisions":[]}`+"\n" {
		t.Errorf("empty: %s", got)
	}
	d := decision("t", "ns/a", 2)
	d.Outcome, d.Reason, d.Err = engine.Failed, engine.ReasonTimeout, errors.New("timed out")
	d.RetryIn, d.Duration, d.Age = 2*time.Second, 1500*time.Millisecond, time.Minute
	r.Observe(d)
	want := `{"decisions":[{"time":"2026-03-01T12:00:02Z","trigger":"default/t",` +
		`"event":{"source":"resource-watcher","type":"update","key":"ns/a","id":"2"},` +
		`"outcome":"failed","reason":"TimedOut","attempt":2,"retryInSeconds":2,"tookSeconds":1.5,"ageSeconds":60}]}` + "\n"
	if got := get("?trigger=default/t&key=ns/a"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var other struct{ Decisions []any }
	if err := json.Unmarshal([]byte(get("?trigger=t")), &other); err != nil || len(other.Decisions) != 0 {
		t.Errorf("another trigger: %v, %v", other, err)
	}
}

// TestDecisionLog_Error fails an action with errors that quote an object or a response.
func TestDecisionLog_Error(t *testing.T) {
	const quoted = "hunter2"
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, quoted,
		errors.New(`User "`+quoted+`" cannot patch resource "configmaps" in API group "" in the namespace "`+quoted+`"`))
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("cannot reach " + quoted), ""},
		{fmt.Errorf("step 1: %w", placedError{forbidden}), "patch (kube.patch): Forbidden (403): cannot patch configmaps"},
		{apierrors.NewBadRequest(quoted), "BadRequest (400)"},
		{placedError{errors.New(quoted)}, "patch (kube.patch)"},
	} {
		var r observe.DecisionLog
		d := decision("t", "a", 1)
		d.Outcome, d.Reason, d.Err = engine.Failed, engine.ReasonError, c.err
		r.Observe(d)
		if got := r.Recent("", "", observe.DescribeError)[0].Error; got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}

// placedError is an error of a provider call.
type placedError struct{ error }

func (e placedError) Unwrap() error { return e.error }
func (placedError) Place() string   { return "patch (kube.patch)" }

func BenchmarkDecisionLog_Observe(b *testing.B) {
	var r observe.DecisionLog
	d := decision("t", "a", 1)
	b.ReportAllocs()
	for b.Loop() {
		r.Observe(d)
	}
}
