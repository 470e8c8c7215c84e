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
	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/format"

	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/rights"
)

// Rights returns the rights that the template declares for properties, without what is computed
// from the event. It returns none if the template declares none, or if they depend on the event.
func (t *Template) Rights(properties map[string]any) []rights.Right {
	file, err := expr.ParseSyntax(t.name+".cue", t.source)
	if err != nil {
		return nil
	}
	declared := expr.DeclaredRights(file)
	if declared == nil {
		return nil
	}
	text, err := format.Node(&ast.File{Decls: declared.Elts}) // identifiers refer to fields of file
	if err != nil {
		return nil
	}
	v := cuecontext.New().CompileBytes(text)
	for name, value := range properties {
		v = v.FillPath(cue.MakePath(cue.Str("parameter"), cue.Str(name)), number.Literals(value))
	}
	list, err := v.LookupPath(cue.ParsePath("rights")).List()
	if err != nil {
		return nil
	}
	var out []rights.Right
	for list.Next() {
		var r rights.Right
		if list.Value().Decode(&r) == nil {
			out = append(out, r)
		}
	}
	return out
}
