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

package warning_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/warning"
)

func TestCollect(t *testing.T) {
	warning.Add(context.Background(), "not collected")
	ctx, collected := warning.Collect(t.Context())
	if got := collected(); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	warning.Add(ctx, "a", "b", "a")
	warning.Add(ctx, "b")
	if diff := cmp.Diff([]string{"a", "b"}, collected()); diff != "" {
		t.Error(diff)
	}
	for i := range 100 {
		warning.Add(ctx, fmt.Sprint(i))
	}
	if got := len(collected()); got != 10 {
		t.Errorf("got %d warnings, want 10", got)
	}
}
