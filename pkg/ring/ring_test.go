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

package ring_test

import (
	"slices"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/ring"
)

func TestBuffer(t *testing.T) {
	var b ring.Buffer[int]
	for i := range 10 {
		full, isFull := b.Oldest(3)
		oldest, removed := b.Add(i, 3)
		if removed != (i >= 3) || removed && oldest != i-3 {
			t.Errorf("Add(%d) removed %d, %t", i, oldest, removed)
		}
		if isFull != removed || full != oldest {
			t.Errorf("Oldest before Add(%d) is %d, %t", i, full, isFull)
		}
		want := []int{i - 2, i - 1, i}[max(0, 2-i):]
		if got := slices.Collect(b.All()); !slices.Equal(got, want) {
			t.Errorf("after Add(%d): got %v, want %v", i, got, want)
		}
	}
	for got := range b.All() {
		if got != 7 {
			t.Errorf("got %d, want only 7", got)
		}
		break
	}
}
