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
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr/measure"
)

// Functions returns the functions that CUE does not have and filters and templates may
// call: those of package measure. Of any other value, the result is absent.
func Functions() []string {
	var names []string
	for _, f := range measure.Functions() {
		names = append(names, string(f))
	}
	return names
}

// functionSource returns the definition of a function: a struct with its argument, $of,
// and its result, value.
func functionSource(name string) string {
	f := measure.Function(name)
	pattern := literal.String.Quote(f.Pattern())
	switch f {
	case measure.Quantity:
		return fmt.Sprintf(quantitySource, pattern)
	case measure.Timestamp:
		return fmt.Sprintf(timestampSource, pattern)
	}
	return fmt.Sprintf(versionSource, pattern)
}

// Without an argument, or with one that is no quantity, there is no value.
const quantitySource = `
_#quantity: {
	$of: number | string
	let text = "\($of)"
	let pattern = %s
	if text =~ pattern
	for parts in [regexp.FindSubmatch(pattern, text)] {
		let sign = [if parts[1] == "-" {-1}, if parts[1] != "-" {1}][0]
		let number = [
			if parts[2] !~ "\\." {parts[2]},
			if parts[2] =~ "^\\." {"0\(parts[2])"},
			"\(parts[2])0",
		][0]
		let factors = {
			"": 1, n: 1e-9, u: 1e-6, m: 1e-3
			k: 1000, M: 1000000, G: 1000000000, T: 1000000000000, P: 1000000000000000, E: 1000000000000000000
			Ki: 1024, Mi: 1048576, Gi: 1073741824, Ti: 1099511627776, Pi: 1125899906842624, Ei: 1152921504606846976
		}
		let factor = [if parts[3] =~ "[0-9]" {json.Unmarshal("1\(parts[3])")}, if parts[3] !~ "[0-9]" {factors[parts[3]]}][0]
		value: sign * json.Unmarshal(number) * factor
	}
}
`

// The days are counted from March 1, so that a leap day is the last one of its year.
const timestampSource = `
_#timestamp: {
	$of: string
	let pattern = %s
	if $of =~ pattern
	for parts in [regexp.FindSubmatch(pattern, $of)] {
		let clock = [if parts[2] == "" {"00:00:00"}, if parts[2] != "" {parts[2]}][0]
		let zone = [if parts[4] == "" {"Z"}, if parts[4] != "" {"\(parts[4]):\(parts[5])"}][0]
		let utc = time.Parse(time.RFC3339Nano, "\(parts[1])T\(clock)\(zone)")
		if utc != _|_
		for split in [time.Split(utc)] {
			let month = mod(split.month+9, 12)
			let year = split.year - div(month, 10)
			let leapDays = div(year, 4) - div(year, 100) + div(year, 400)
			let days = year*365 + leapDays + div(153*month+2, 5) + split.day - 1 - 719468
			let fraction = [if split.nanosecond == 0 {0}, split.nanosecond/1000000000][0]
			value: days*86400 + split.hour*3600 + split.minute*60 + split.second + fraction
		}
	}
}
`

// Numbers get the same length. The end of a version, ~, comes after each pre-release,
// and the end of its identifiers, !, before each of their characters.
const versionSource = `
_#version: {
	$of: string
	let pattern = %s
	if $of =~ pattern
	for parts in [regexp.FindSubmatch(pattern, $of)] {
		let zeros = "0000000000000000000"
		let numbers = strings.Join([for n in [parts[1], parts[2], parts[3]] {strings.SliceRunes(zeros, 0, 19-len(n)) + n}], ".")
		let identifiers = strings.Join([for id in strings.Split(parts[4], ".") {
			[if id =~ "^[0-9]{1,18}$" {"0" + strings.SliceRunes(zeros, 0, 19-len(id)) + id}, "1" + id][0]
		}], "!")
		value: numbers + [if parts[4] == "" {"~"}, "!" + identifiers + "!"][0]
	}
}
`

// DefineFunctions replaces the calls of Functions in file by references to their
// definitions, which it adds to file with the imports that are missing.
func DefineFunctions(file *ast.File) error {
	if !Contains(file, func(n ast.Node) bool { call, ok := n.(*ast.CallExpr); return ok && calledFunction(call) != "" }) {
		return nil
	}
	var used []string
	astutil.Apply(file, nil, func(c astutil.Cursor) bool {
		call, ok := c.Node().(*ast.CallExpr)
		if !ok {
			return true
		}
		name := calledFunction(call)
		if name == "" {
			return true
		}
		if !slices.Contains(used, name) {
			used = append(used, name)
		}
		c.Replace(callSyntax(name, call))
		return true
	})
	for _, name := range used {
		definition, err := parser.ParseFile("functions.cue", functionSource(name))
		if err != nil {
			return err
		}
		file.Decls = append(file.Decls, definition.Decls...)
	}
	implyImports(file)
	return nil
}

// calledFunction returns the one of Functions that call calls, or "".
func calledFunction(call *ast.CallExpr) string {
	id, ok := call.Fun.(*ast.Ident)
	if !ok || id.Node != nil || len(call.Args) != 1 || !slices.Contains(Functions(), id.Name) {
		return ""
	}
	return id.Name
}

func definitionName(function string) string { return "_#" + function }

// isFunctionDefinition reports whether name is that of the definition of a function.
func isFunctionDefinition(name string) bool {
	function, ok := strings.CutPrefix(name, "_#")
	return ok && slices.Contains(Functions(), function)
}

// callSyntax returns `(_#quantity & {$of: x}).value` for quantity(x).
func callSyntax(name string, call *ast.CallExpr) ast.Expr {
	argument := ast.NewStruct(&ast.Field{Label: ast.NewIdent("$of"), Value: call.Args[0]})
	definition := ast.NewIdent(definitionName(name))
	ast.SetPos(definition, call.Pos())
	return ast.NewSel(&ast.ParenExpr{Lparen: call.Pos(), X: ast.NewBinExpr(token.AND, definition, argument)}, "value")
}
