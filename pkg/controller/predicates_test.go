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

package controller

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// TestSpecOrStateChanged: what decides the conditions is reconciled, and so are the conditions
// themselves; counts are not.
func TestSpecOrStateChanged(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(ts *v1alpha1.TriggerService)
		want   bool
	}{
		"generation": {func(ts *v1alpha1.TriggerService) { ts.Generation++ }, true},
		"deletion":   {func(ts *v1alpha1.TriggerService) { ts.DeletionTimestamp = &metav1.Time{} }, false},
		"deleted": {func(ts *v1alpha1.TriggerService) {
			now := metav1.Now()
			ts.DeletionTimestamp = &now
		}, true},
		"state":      {func(ts *v1alpha1.TriggerService) { ts.Status.Triggers[0].State = v1alpha1.TriggerWaiting }, true},
		"suspect":    {func(ts *v1alpha1.TriggerService) { ts.Status.SuspectedGeneration = 1 }, true},
		"conditions": {func(ts *v1alpha1.TriggerService) { ts.Status.Conditions[0].Status = metav1.ConditionFalse }, true},
		"count":      {func(ts *v1alpha1.TriggerService) { ts.Status.Triggers[0].Matched++ }, false},
		"label":      {func(ts *v1alpha1.TriggerService) { ts.Labels = map[string]string{"a": "b"} }, false},
	} {
		old := &v1alpha1.TriggerService{}
		old.Generation = 1
		old.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
		old.Status.Triggers = []v1alpha1.TriggerStatus{{Name: "a", State: v1alpha1.TriggerRunning}}
		updated := old.DeepCopy()
		tt.change(updated)
		if got := specOrStateChanged().Update(event.UpdateEvent{ObjectOld: old, ObjectNew: updated}); got != tt.want {
			t.Errorf("%s: got %t, want %t", name, got, tt.want)
		}
	}
}
