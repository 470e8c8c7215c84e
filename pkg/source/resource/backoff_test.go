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

package resource

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	b := newBackoff()
	for range 3 {
		for i, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000} {
			want *= time.Millisecond
			if got := b.Step(); got < want/2 || got > want*3/2 {
				t.Errorf("failure %d: got %s, want %s ± 50 %%", i, got, want)
			}
		}
		b = newBackoff()
	}
}
