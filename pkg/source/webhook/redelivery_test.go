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
	"net/http"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// TestReceiver_Redelivery: a delivery whose event became a dead letter is replayed when it is
// sent again; one that succeeded is not.
func TestReceiver_Redelivery(t *testing.T) {
	w := serve(t, "auth: none", func(w *worker) { w.options.DeadLetters = w.store.DeadLetters() })
	sent := request{body: `{"a":1}`, headers: map[string]string{"X-Delivery-Id": "1"}}
	w.expectStatus(http.StatusAccepted, sent)
	ev := w.waitForEvents(1)[0]
	w.expectStatus(http.StatusOK, sent)
	if ids, err := w.store.DeadLetters().ReplayRequested(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("replays %v, error %v, want none", ids, err)
	}
	id, err := w.store.DeadLetters().Put(t.Context(), store.DeadLetter{Trigger: event.TriggerRef{Namespace: "n", Name: "t"}, Event: ev})
	if err != nil {
		t.Fatal(err)
	}
	w.expectStatus(http.StatusAccepted, sent)
	ids, err := w.store.DeadLetters().ReplayRequested(t.Context())
	if err != nil || len(ids) != 1 || ids[0] != id {
		t.Errorf("replays %v, error %v, want %s", ids, err, id)
	}
	if err := w.store.DeadLetters().Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.expectStatus(http.StatusOK, sent)
}
