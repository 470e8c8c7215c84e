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
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
)

// TestQueue: a request waits for one of each other namespace, not for all of them.
func TestQueue(t *testing.T) {
	q := newQueue("", workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](minRetryDelay, maxRetryDelay))
	defer q.ShutDown()
	add := func(namespace, name string) {
		q.Add(ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
	}
	for n := range 1000 {
		add("many", fmt.Sprint(n))
	}
	add("other", "x")
	add("many", "0") // again
	add("few", "y")
	add("few", "z")
	var got []string
	for range 6 {
		request, _ := q.Get()
		got = append(got, request.String())
		q.Done(request)
	}
	if want := []string{"many/0", "other/x", "few/y", "many/1", "few/z", "many/2"}; !slices.Equal(got, want) {
		t.Errorf("order: got %q, want %q", got, want)
	}
	if q.Len() != 997 {
		t.Errorf("got %d more requests, want 997", q.Len())
	}
}
