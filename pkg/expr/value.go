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

package expr

import (
	"cuelang.org/go/cue/ast"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

// ParseString parses and checks an expression whose value can be a name: a string or a
// number. It does so as Parse does a filter expression.
func ParseString(text string) (*Expression, diag.List) {
	e, list := parseExpression(text)
	if e == nil {
		return nil, list
	}
	if len(list) == 0 && (len(e.Constraints) > 0 || len(e.Conditions) == 0) {
		list = diag.List{{Message: "must be one expression over context, such as context.data.metadata.labels.release"}}
	}
	checked, err := checkString(e)
	if err != nil {
		return nil, append(list, diag.Diagnostic{Message: err.Error()})
	}
	list = append(list, checked...)
	if list = append(list, vet(text, checked)...); len(list) > 0 {
		return nil, sortByPosition(list)
	}
	e.split()
	if err := e.applyRules(); err != nil {
		return nil, append(list, diag.Diagnostic{Message: err.Error()})
	}
	return e, nil
}

// checkString is check for an expression whose value can be a name.
func checkString(e *Expression) (diag.List, error) {
	c, err := newChecker(e)
	if err != nil {
		return nil, err
	}
	c.checkImports()
	ast.Walk(e.file, c.visit, nil)
	for _, x := range e.Conditions {
		if k := c.types.Of(x).Kinds; k.IsOne() && !k.Has(datatype.String|datatype.Number) {
			c.add(x, "must be a string or a number, not %s: %s", k, Excerpt(x))
		}
	}
	return c.list, nil
}
