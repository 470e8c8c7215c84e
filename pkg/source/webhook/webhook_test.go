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

package webhook_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// TestPrune deletes the stored events of a trigger that no longer exists, and no others.
func TestPrune(t *testing.T) {
	w := killedWorker(t)
	second := startWorker(t, w.path, []triggerConfig{{"u", "auth: none"}})
	prune := func(hooks ...source.Subscription) error {
		return store.Prune(t.Context(), second.store, func(name string) bool {
			return slices.ContainsFunc(hooks, func(h source.Subscription) bool { return h.UsesCheckpoint(name) })
		})
	}
	if err := prune(append(w.hooks, second.hooks...)...); err != nil {
		t.Fatal(err)
	}
	if n := queueLength(t, second); n != 1 {
		t.Errorf("%d events remain", n)
	}
	if err := prune(second.hooks...); err != nil {
		t.Fatal(err)
	}
	names, err := second.store.Checkpoints().List(t.Context())
	if diff := cmp.Diff([]string{"webhook:n/u"}, names); diff != "" || err != nil || queueLength(t, second) != 0 {
		t.Error(diff, err)
	}
	second.waitForEvents(0)
}
