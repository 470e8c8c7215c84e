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

package expr_test

import (
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// TestParseSyntax_Panic parses texts on which CUE's parser panics.
func TestParseSyntax_Panic(t *testing.T) {
	for _, text := range []string{"a=0:a!0", "x: {a=0:a!0}"} {
		file, err := expr.ParseSyntax("template.cue", text)
		if file != nil || err == nil || !strings.HasPrefix(err.Error(), "syntax error") {
			t.Errorf("%s: got %v, %v, want a syntax error", text, file, err)
		}
	}
}
