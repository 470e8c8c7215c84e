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

package loopguard_test

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// latestEvent returns the event of the object's revision, as its source emits it.
func (e *env) latestEvent() event.Event {
	e.Helper()
	o, err := e.kube.CoreV1().ConfigMaps(e.namespace).Get(e.Context(), "x", metav1.GetOptions{})
	e.noError(err)
	return toEvent(e.T, event.Update, o, "v1", "ConfigMap")
}

// writeOn patches the object as the trigger's action on its latest revision.
func (e *env) writeOn(ev event.Event, kind types.PatchType, patch string) {
	e.Helper()
	e.wantOwn(ev, false)
	var opts []client.PatchOption
	if kind == types.ApplyPatchType {
		opts = append(opts, client.ForceOwnership)
	}
	e.noError(e.client.Patch(e.detector.WithCauses(e.Context(), ev, ""), e.object(), client.RawPatch(kind, []byte(patch)), opts...))
}

func (e *env) wantUndone(n int) {
	e.Helper()
	if got := e.detector.Undone(e.latestEvent()); got != n {
		e.Errorf("%d writes are undone, want %d", got, n)
	}
}

// TestUndone has another client that sets back what the trigger writes, as an autoscaler
// does with the replicas in temporalio/temporal-worker-controller#527. Only the repeated
// write proves it: the first one is not undone.
func TestUndone(t *testing.T) {
	for kind, patch := range map[types.PatchType]string{
		types.MergePatchType:          `{"data":{"replicas":"5"}}`,
		types.StrategicMergePatchType: `{"data":{"replicas":"5"}}`,
		types.JSONPatchType:           `[{"op":"add","path":"/data","value":{"replicas":"5"}}]`,
		types.ApplyPatchType:          `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"replicas":"5"}}`,
	} {
		t.Run(string(kind), func(t *testing.T) {
			e := newEnv(t)
			e.create()
			for i := range 3 {
				e.edit(`{"data":{"replicas":"3"}}`)
				ev := e.latestEvent()
				e.writeOn(ev, kind, patch)
				e.wantUndone(i)
				e.writeOn(ev, kind, patch) // a retry, or another call of the action
				e.wantUndone(i)
			}
		})
	}
}

// TestUndone_Stamped repeats a write that also stamps the event, and names the revision
// that was read, as scale-workload does.
func TestUndone_Stamped(t *testing.T) {
	e := newEnv(t)
	e.create()
	for i := range 3 {
		e.edit(`{"data":{"replicas":"3"}}`)
		ev := e.latestEvent()
		version, _ := ev.Data["metadata"].(map[string]any)["resourceVersion"].(string)
		e.writeOn(ev, types.MergePatchType, fmt.Sprintf(
			`{"metadata":{"resourceVersion":%q,"annotations":{"trigger.oam.dev/scaled-for":%q}},"data":{"replicas":"5"}}`, version, ev.ID))
		e.wantUndone(i)
	}
}

// TestUndone_Independent has writes that are repeated, or change the object, although
// others have undone none.
func TestUndone_Independent(t *testing.T) {
	for name, patch := range map[string]func(i int, ev event.Event) string{
		"unchanged": func(int, event.Event) string { return `{"data":{"seen":"true"}}` },
		"computed":  func(i int, _ event.Event) string { return fmt.Sprintf(`{"data":{"ready":"%v"}}`, i%2 == 0) },
		"stamp": func(_ int, ev event.Event) string {
			return fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"trigger.oam.dev/restarted-for":%q}}}},"metadata":{"annotations":{"trigger.oam.dev/bumped-for":%q}}}`, ev.ID, ev.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.create()
			for i := range 4 {
				e.edit(fmt.Sprintf(`{"data":{"value":"%d"}}`, i))
				ev := e.latestEvent()
				e.writeOn(ev, types.MergePatchType, patch(i, ev))
				e.wantUndone(0)
			}
		})
	}
	t.Run("steps", func(t *testing.T) {
		e := newEnv(t)
		e.create()
		for i := range 4 {
			e.edit(fmt.Sprintf(`{"data":{"value":"%d"}}`, i))
			ev := e.latestEvent()
			e.writeOn(ev, types.MergePatchType, `{"data":{"state":"running"}}`)
			e.noError(e.client.Patch(e.detector.WithCauses(t.Context(), ev, ""), e.object(), client.RawPatch(types.MergePatchType, []byte(`{"data":{"state":"done"}}`))))
			e.wantUndone(0)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		e := newEnv(t)
		for range 3 {
			e.create()
			e.writeOn(e.latestEvent(), types.MergePatchType, `{"data":{"seen":"true"}}`)
			e.wantUndone(0)
			e.noError(e.kube.CoreV1().ConfigMaps(e.namespace).Delete(t.Context(), "x", metav1.DeleteOptions{}))
		}
	})
	t.Run("other-object", func(t *testing.T) {
		e := newEnv(t)
		e.create()
		for range 3 {
			e.edit(`{"data":{"replicas":"3"}}`)
			ev := e.latestEvent()
			e.wantOwn(ev, false)
			ev.Key = e.namespace + "/y"
			e.noError(e.client.Patch(e.detector.WithCauses(t.Context(), ev, ""), e.object(), client.RawPatch(types.MergePatchType, []byte(`{"data":{"replicas":"5"}}`))))
			e.wantUndone(0)
		}
	})
}
