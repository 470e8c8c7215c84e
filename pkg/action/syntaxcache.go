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

package action

import (
	"sync"
	"weak"

	"cuelang.org/go/cue/ast"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// syntaxCache keeps a syntax tree until the garbage collector needs its memory: a template is
// needed many times in the short time in which it is compiled. It is safe for concurrent use.
type syntaxCache struct {
	mu   sync.Mutex
	tree weak.Pointer[ast.File]
}

// templateTrees are the trees that parse and parseForStages return.
type templateTrees struct{ whole, stages syntaxCache }

// get returns a new copy of the tree that parse returns.
func (c *syntaxCache) get(parse func() (*ast.File, error)) (out *ast.File, err error) {
	err = c.read(parse, func(file *ast.File) { out = expr.Copy(file) })
	return out, err
}

// read calls f with the tree that parse returns, which f neither changes nor keeps.
func (c *syntaxCache) read(parse func() (*ast.File, error), f func(*ast.File)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	file := c.tree.Value()
	if file == nil {
		var err error
		if file, err = parse(); err != nil {
			return err
		}
		c.tree = weak.Make(file)
	}
	f(file)
	return nil
}
