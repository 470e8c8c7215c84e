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

package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

func TestNew_InvalidTriggers(t *testing.T) {
	below := -1
	named := func(name string, p engine.Policy) engine.Trigger {
		return triggerSpec{
			TriggerRef: event.TriggerRef{Name: name, Namespace: "ns"}, Policy: p,
			Subscription: subscription{}, Action: ok,
		}.build()
	}
	_, err := engine.New(engine.Options{}, []engine.Trigger{
		named("good", engine.Policy{Retry: engine.Retry{Backoff: engine.Backoff{Initial: time.Hour}}}),
		named("good", engine.Policy{}),
		{TriggerRef: event.TriggerRef{Name: "empty"}},
		{TriggerRef: event.TriggerRef{Name: "idle"}, Subscription: subscription{}, Stages: []engine.Stage{engine.Debounce{}}},
		{TriggerRef: event.TriggerRef{Name: "no-steps"}, Subscription: subscription{}, Stages: []engine.Stage{engine.NewAct(nil)}},
		named("bad", engine.Policy{
			Timeout: -1, Concurrency: -2, QueueSize: -3,
			Retry: engine.Retry{Limit: &below, Backoff: engine.Backoff{Initial: 3, Max: 2, Factor: 0.5}},
		}),
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := strings.Join([]string{
		`trigger "ns/good": the name is taken by another trigger`,
		`trigger "empty": no subscription`,
		`no stages`,
		`trigger "idle": no action`,
		`trigger "no-steps": no action`,
		`trigger "ns/bad": timeout -1ns: must not be negative`,
		`concurrency -2: must not be negative`,
		`queue size -3: must not be negative`,
		`retry limit -1: must not be negative`,
		`retry backoff from 3ns to 2ns: must not be negative, and the maximum not below the initial wait`,
		`retry backoff factor 0.5: must be at least 1`,
	}, "\n")
	if err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}
