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

package schema

import (
	"sync"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// Lazy is a schema that is parsed when it is first used. It is safe for concurrent
// use.
type Lazy struct {
	parse func() (*Schema, error)
}

// NewLazy returns the schema of text, which has the format of Parse.
func NewLazy(text string) Lazy {
	return Lazy{sync.OnceValues(func() (*Schema, error) { return Parse(text) })}
}

// Decode is Schema.Decode. An invalid schema is a diagnostic without a path.
func (l Lazy) Decode(properties map[string]any, into any) diag.List {
	s, err := l.parse()
	if err != nil {
		return diag.List{{Message: err.Error()}}
	}
	return s.Decode(properties, into)
}
