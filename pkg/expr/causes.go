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
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// Causes returns the errors of CUE that err consists of, without those that follow from
// others: the alternatives of a disjunction are one error, and an unused import is none
// where a name that is not found is nearly the import's.
func Causes(err error) []errors.Error {
	var out []errors.Error
	all := errors.Errors(err)
	var unknown []string
	for _, e := range all {
		if name, ok := UnknownName(e); ok {
			unknown = append(unknown, name)
		}
	}
	for i := 0; i < len(all); i++ {
		e := all[i]
		format, _ := e.Msg()
		switch {
		case strings.HasPrefix(format, "imported and not used") && diag.Nearest(unusedImport(e), unknown) != "":
		case strings.HasPrefix(format, "%d errors in empty disjunction"):
			end := i + 1
			for end < len(all) && slices.Equal(all[end].Path(), e.Path()) {
				end++
			}
			out = append(out, disjunction(e, all[i+1:end])...)
			i = end - 1
		default:
			out = append(out, e)
		}
	}
	return out
}

// unusedImport returns the name of the package in the error of an unused import.
func unusedImport(e errors.Error) string {
	_, args := e.Msg()
	if len(args) == 0 {
		return ""
	}
	path := strings.Trim(fmt.Sprint(args[len(args)-1]), `"`)
	return path[strings.LastIndex(path, "/")+1:]
}

// NamesIn returns what file can refer to by identifiers: the names of its fields, let
// clauses, imports and variables of loops, and the functions of templates.
func NamesIn(file *ast.File) []string {
	names := Functions()
	add := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id != nil {
				names = append(names, id.Name)
			}
		}
	}
	for _, spec := range file.Imports {
		names = append(names, importName(spec))
	}
	ast.Walk(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if name, _, err := ast.LabelName(n.Label); err == nil && ast.IsValidIdent(name) {
				names = append(names, name)
			}
		case *ast.LetClause:
			add(n.Ident)
		case *ast.ForClause:
			add(n.Key, n.Value)
		}
		return true
	}, nil)
	return names
}

// cause is an error with another message.
type cause struct {
	cueError
	format string
	args   []any
}

type cueError = errors.Error

func (c cause) Msg() (format string, args []any) { return c.format, c.args }

func (c cause) Error() string { return fmt.Sprintf(c.format, c.args...) }

// disjunction returns the errors of the alternatives of a disjunction, or one error that
// names the value and the alternatives if one value is in conflict with all of them.
func disjunction(e errors.Error, alternatives []errors.Error) []errors.Error {
	if len(alternatives) == 0 {
		return []errors.Error{e}
	}
	var operands []any
	counts := map[string]int{}
	for _, a := range alternatives {
		format, args := a.Msg()
		if !strings.HasPrefix(format, "conflicting values") || len(args) < 2 {
			return alternatives
		}
		for _, operand := range args[:2] {
			if counts[fmt.Sprint(operand)]++; counts[fmt.Sprint(operand)] == 1 {
				operands = append(operands, operand)
			}
		}
	}
	value := slices.IndexFunc(operands, func(o any) bool { return counts[fmt.Sprint(o)] == len(alternatives) })
	if value < 0 {
		return alternatives
	}
	args := append([]any{operands[value]}, slices.Delete(slices.Clone(operands), value, value+1)...)
	format := "%s is invalid; valid: " + strings.TrimSuffix(strings.Repeat("%s, ", len(args)-1), ", ")
	return []errors.Error{cause{alternatives[0], format, args}}
}
