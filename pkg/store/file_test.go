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

package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

func TestFile(t *testing.T) {
	t.Parallel()
	conformance(t, func(t *testing.T) env {
		path := filepath.Join(t.TempDir(), "store.db")
		return env{
			open: func(t *testing.T, o options) store.Store {
				t.Helper()
				return got(file.Open(t.Context(), path, file.Options{Limits: o.limits, Clock: o.clock}))(t)
			},
			dump: func(t *testing.T) []byte { return got(os.ReadFile(path))(t) },
		}
	})
}
