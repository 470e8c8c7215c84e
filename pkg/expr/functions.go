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
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// Functions returns the functions that CUE does not have and filters and templates may
// call:
//
//   - quantity(x): the number that a Kubernetes quantity such as "10Gi" or "500m" is.
//   - timestamp(x): the seconds from 1970-01-01T00:00:00Z to a time in RFC 3339, or to
//     the start of a date in UTC.
//
// Of any other value, the result is absent.
func Functions() []string { return []string{"quantity", "timestamp"} }

// functionSource returns the definition of a function: a struct with its argument, $of,
// and its result, value.
func functionSource(name string) string {
	if name == "quantity" {
		return quantitySource
	}
	return timestampSource
}

// Without an argument, or with one that is no quantity, there is no value.
const quantitySource = `
_#quantity: {
	$of: number | string
	let text = "\($of)"
	let pattern = "^([+-]?)0*([0-9]*)(?:\\.([0-9]*))?(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})$"
	if text =~ pattern if text =~ "^[+-]?\\.?[0-9]"
	for parts in [regexp.FindSubmatch(pattern, text)] {
		let whole = [if parts[2] == "" {"0"}, if parts[2] != "" {parts[2]}][0]
		let sign = [if parts[1] == "-" {-1}, if parts[1] != "-" {1}][0]
		let factors = {
			"": 1, n: 1e-9, u: 1e-6, m: 1e-3
			k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18
			Ki: 1024, Mi: 1048576, Gi: 1073741824, Ti: 1099511627776, Pi: 1125899906842624, Ei: 1152921504606846976
		}
		let factor = [if parts[4] =~ "[0-9]" {json.Unmarshal("1\(parts[4])")}, if parts[4] !~ "[0-9]" {factors[parts[4]]}][0]
		value: sign * json.Unmarshal("\(whole).\(parts[3])0") * factor
	}
}
`

// The days are counted from March 1, so that a leap day is the last one of its year.
const timestampSource = `
_#timestamp: {
	$of: string
	let text = [if $of =~ "^[0-9-]{10}$" {"\($of)T00:00:00Z"}, if $of !~ "^[0-9-]{10}$" {$of}][0]
	let utc = time.Parse(time.RFC3339Nano, text)
	if $of != "" if utc != _|_
	for parts in [time.Split(utc)] {
		let month = mod(parts.month+9, 12)
		let year = parts.year - div(month, 10)
		let leapDays = div(year, 4) - div(year, 100) + div(year, 400)
		let days = year*365 + leapDays + div(153*month+2, 5) + parts.day - 1 - 719468
		value: days*86400 + parts.hour*3600 + parts.minute*60 + parts.second + parts.nanosecond/1000000000
	}
}
`

// DefineFunctions replaces the calls of Functions in file by references to their
// definitions, which it adds to file with the imports that are missing.
func DefineFunctions(file *ast.File) error {
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
