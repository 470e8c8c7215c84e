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

	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// specOrStateChanged passes what may change what the controller has to do. That a worker
// counts events does not.
func specOrStateChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		old, ok := e.ObjectOld.(*v1alpha1.TriggerService)
		now, isNow := e.ObjectNew.(*v1alpha1.TriggerService)
		return !ok || !isNow || old.Generation != now.Generation ||
			old.DeletionTimestamp.IsZero() != now.DeletionTimestamp.IsZero() ||
			!slices.Equal(triggerStates(old), triggerStates(now))
	}}
}

// triggerStates are what the worker says of each trigger.
func triggerStates(ts *v1alpha1.TriggerService) []string {
	all := []string{fmt.Sprint(ts.Status.WorkerGeneration)}
	for _, t := range ts.Status.Triggers {
		all = append(all, fmt.Sprintf("%s %s %s %s", t.Name, t.State, t.Reason, t.Message))
	}
	return all
}
