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
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// specOrStateChanged ignores updates that change neither the generation, the deletion
// timestamp, the conditions nor a trigger's state, such as the event counts that workers write.
// The controller writes the conditions itself, from a cache that may lack its last write: the
// update that brings that write shows whether it is still right.
func specOrStateChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		old, ok := e.ObjectOld.(*v1alpha1.TriggerService)
		updated, okNew := e.ObjectNew.(*v1alpha1.TriggerService)
		return !ok || !okNew || old.Generation != updated.Generation ||
			old.DeletionTimestamp.IsZero() != updated.DeletionTimestamp.IsZero() ||
			!slices.Equal(triggerStates(old), triggerStates(updated)) ||
			!equality.Semantic.DeepEqual(old.Status.Conditions, updated.Status.Conditions)
	}}
}

// existed ignores the creation of objects: the controller creates those that it owns, and
// reconciles all TriggerServices when it starts.
func existed() predicate.Predicate {
	return predicate.Funcs{CreateFunc: func(event.CreateEvent) bool { return false }}
}

// triggerStates returns the worker's generation, the suspected one, and one string per trigger with its
// state, reason and message.
func triggerStates(ts *v1alpha1.TriggerService) []string {
	states := []string{fmt.Sprint(ts.Status.WorkerGeneration, ts.Status.SuspectedGeneration)}
	for _, t := range ts.Status.Triggers {
		states = append(states, fmt.Sprintf("%s %s %s %s", t.Name, t.State, t.Reason, t.Message))
	}
	return states
}
