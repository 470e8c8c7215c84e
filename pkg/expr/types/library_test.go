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

package types

import (
	"fmt"
	"testing"

	"cuelang.org/go/cue/cuecontext"
)

// Every package and function in the tables exists in this version of CUE.
func TestStandardLibrary(t *testing.T) {
	for _, path := range StandardLibrary() {
		for _, name := range append(BoolFunctions(path), "") {
			text := fmt.Sprintf("import p %q\n_x: p", path)
			if name != "" {
				text += "." + name
			}
			if err := cuecontext.New().CompileString(text).Validate(); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}
