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

package closure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cuelang.org/go/cue/ast"
	cuestrings "cuelang.org/go/pkg/strings"

	"github.com/kubevela/kube-trigger/pkg/number"
)

// library returns a function of CUE's standard library, by the path of its package and its
// name. They are pure, and the functions that CUE calls itself.
func library(name string) (function, bool) {
	switch name {
	case "strings.Contains":
		return textTest(strings.Contains), true
	case "strings.ContainsAny":
		return textTest(strings.ContainsAny), true
	case "strings.HasPrefix":
		return textTest(strings.HasPrefix), true
	case "strings.HasSuffix":
		return textTest(strings.HasSuffix), true
	case "strings.Count":
		return textNumber(strings.Count), true
	case "strings.Index":
		return textNumber(strings.Index), true
	case "strings.LastIndex":
		return textNumber(strings.LastIndex), true
	case "strings.IndexAny":
		return textNumber(strings.IndexAny), true
	case "strings.Compare":
		return textNumber(strings.Compare), true
	case "strings.ToLower":
		return text(strings.ToLower), true
	case "strings.ToUpper":
		return text(strings.ToUpper), true
	case "strings.ToTitle":
		return text(cuestrings.ToTitle), true
	case "strings.ToCamel":
		return text(cuestrings.ToCamel), true
	case "strings.TrimSpace":
		return text(strings.TrimSpace), true
	case "strings.Trim":
		return twoTexts(strings.Trim), true
	case "strings.TrimLeft":
		return twoTexts(strings.TrimLeft), true
	case "strings.TrimRight":
		return twoTexts(strings.TrimRight), true
	case "strings.TrimPrefix":
		return twoTexts(strings.TrimPrefix), true
	case "strings.TrimSuffix":
		return twoTexts(strings.TrimSuffix), true
	case "strings.Split":
		return function{two: ofTexts(func(a, b string) (any, Status) { return listOf(strings.Split(a, b)), Present })}, true
	case "strings.Fields":
		return function{one: ofText(func(a string) (any, Status) { return listOf(strings.Fields(a)), Present })}, true
	case "strings.Join":
		return function{two: join}, true
	case "strings.SliceRunes":
		return function{many: sliceRunes, arguments: 3}, true
	case "strings.Replace":
		return function{many: replace, arguments: 4}, true
	case "encoding/json.Marshal":
		return function{one: marshal}, true
	case "list.FlattenN":
		return function{two: flatten}, true
	case "list.Max":
		return function{one: extreme(1)}, true
	case "list.Min":
		return function{one: extreme(-1)}, true
	case "list.Concat":
		return function{one: concat}, true
	case "encoding/hex.Encode":
		return function{one: ofOctets(func(a []byte) any { return hex.EncodeToString(a) })}, true
	case "crypto/sha256.Sum256":
		return function{one: ofOctets(func(a []byte) any {
			sum := sha256.Sum256(a)
			return octets(sum[:])
		})}, true
	case "encoding/json.Valid":
		return function{boolean: true, one: ofOctets(func(a []byte) any { return json.Valid(a) })}, true
	case "encoding/json.Unmarshal":
		return function{one: unmarshal}, true
	case "regexp.ReplaceAll":
		return function{replace: (*regexp.Regexp).ReplaceAllString}, true
	case "regexp.ReplaceAllLiteral":
		return function{replace: (*regexp.Regexp).ReplaceAllLiteralString}, true
	case "strconv.Atoi":
		return function{one: ofText(func(a string) (any, Status) {
			n, err := strconv.Atoi(a)
			return int64(n), absentIf(err != nil)
		})}, true
	case "time.ParseDuration":
		return function{one: ofText(func(a string) (any, Status) {
			d, err := time.ParseDuration(a)
			return int64(d), absentIf(err != nil)
		})}, true
	case "regexp.Match":
		return function{boolean: true, pattern: func(re *regexp.Regexp, a string) (any, bool) { return re.MatchString(a), true }}, true
	case "regexp.Find":
		return function{pattern: func(re *regexp.Regexp, a string) (any, bool) {
			at := re.FindStringIndex(a)
			if at == nil {
				return nil, false
			}
			return a[at[0]:at[1]], true
		}}, true
	case "regexp.FindSubmatch":
		return function{pattern: func(re *regexp.Regexp, a string) (any, bool) {
			found := re.FindStringSubmatch(a)
			return listOf(found), found != nil
		}}, true
	}
	return function{}, false
}

func absentIf(absent bool) Status {
	if absent {
		return Absent
	}
	return Present
}

func listOf(texts []string) any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}

// ofText returns a function of a text. Other values have no result.
func ofText(f func(a string) (any, Status)) func(a any) (any, Status) {
	return func(a any) (any, Status) {
		text, ok := a.(string)
		if !ok {
			return nil, Absent
		}
		return f(text)
	}
}

func ofTexts(f func(a, b string) (any, Status)) func(a, b any) (any, Status) {
	return func(a, b any) (any, Status) {
		x, ok := a.(string)
		y, also := b.(string)
		if !ok || !also {
			return nil, Absent
		}
		return f(x, y)
	}
}

func text(f func(string) string) function {
	return function{one: ofText(func(a string) (any, Status) { return f(a), Present })}
}

func twoTexts(f func(a, b string) string) function {
	return function{two: ofTexts(func(a, b string) (any, Status) { return f(a, b), Present })}
}

func textTest(f func(a, b string) bool) function {
	return function{boolean: true, two: ofTexts(func(a, b string) (any, Status) { return f(a, b), Present })}
}

func textNumber(f func(a, b string) int) function {
	return function{two: ofTexts(func(a, b string) (any, Status) { return int64(f(a, b)), Present })}
}

func join(list, separator any) (any, Status) {
	elements, ok := list.([]any)
	between, also := separator.(string)
	if !ok || !also {
		return nil, Absent
	}
	texts := make([]string, len(elements))
	for i, e := range elements {
		if texts[i], ok = e.(string); !ok {
			return nil, Absent
		}
	}
	return strings.Join(texts, between), Present
}

// sliceRunes is strings.SliceRunes(text, start, end).
func sliceRunes(args []any) (any, Status) {
	s, ok := args[0].(string)
	if !ok || !isNumber(args[1]) || !isNumber(args[2]) {
		return nil, Absent
	}
	from, ok := args[1].(int64)
	to, also := args[2].(int64)
	if !ok || !also {
		return nil, Unknown
	}
	out, err := cuestrings.SliceRunes(s, int(from), int(to))
	return out, absentIf(err != nil)
}

// replace is strings.Replace(text, old, new, n).
func replace(args []any) (any, Status) {
	a, ok := args[0].(string)
	before, also := args[1].(string)
	by, third := args[2].(string)
	if !ok || !also || !third || !isNumber(args[3]) {
		return nil, Absent
	}
	n, ok := args[3].(int64)
	if !ok || n != int64(int(n)) {
		return nil, Unknown
	}
	return strings.Replace(a, before, by, int(n)), Present
}

// concat is list.Concat(lists).
func concat(lists any) (any, Status) {
	all, ok := lists.([]any)
	if !ok {
		return nil, Absent
	}
	out := []any{}
	for _, l := range all {
		elements, ok := l.([]any)
		if !ok {
			return nil, Absent
		}
		out = append(out, elements...)
	}
	return out, Present
}

// ofOctets returns a function of bytes or of a text.
func ofOctets(f func(a []byte) any) func(a any) (any, Status) {
	return func(a any) (any, Status) {
		switch a := a.(type) {
		case string:
			return f([]byte(a)), Present
		case octets:
			return f(a), Present
		}
		return nil, Absent
	}
}

// unmarshal is json.Unmarshal of a number, a bool or null.
func unmarshal(a any) (any, Status) {
	text, ok := a.(string)
	switch {
	case !ok:
		return unlessOctets(a)
	case !json.Valid([]byte(text)):
		return nil, Absent
	case strings.ContainsAny(text, `"{[`):
		return nil, Unknown
	}
	v, err := number.Unmarshal([]byte(text))
	if err != nil {
		return nil, Unknown
	}
	return v, Present
}

func unlessOctets(v any) (any, Status) {
	if _, ok := v.(octets); ok {
		return nil, Unknown
	}
	return nil, Absent
}

// constantOf is a constant of the standard library, such as time.Second.
func constantOf(x ast.Node, path, name string) (code, error) {
	if path == "time" {
		for _, unit := range []struct {
			name string
			of   time.Duration
		}{
			{"Nanosecond", time.Nanosecond}, {"Microsecond", time.Microsecond}, {"Millisecond", time.Millisecond},
			{"Second", time.Second}, {"Minute", time.Minute}, {"Hour", time.Hour},
		} {
			if unit.name == name {
				return value(int64(unit.of)), nil
			}
		}
	}
	return code{}, unsupported(x, "the constant %s.%s", path[strings.LastIndex(path, "/")+1:], name)
}

// flatten is list.FlattenN(list, depth).
func flatten(list, depth any) (any, Status) {
	elements, ok := list.([]any)
	if !ok || !isNumber(depth) {
		return nil, Absent
	}
	n, ok := depth.(int64)
	if !ok {
		return nil, Unknown
	}
	return flattened([]any{}, elements, n), Present
}

func flattened(out, list []any, depth int64) []any {
	for _, e := range list {
		if inner, ok := e.([]any); ok && depth != 0 {
			out = flattened(out, inner, depth-1)
		} else {
			out = append(out, e)
		}
	}
	return out
}

// extreme returns list.Max for 1 and list.Min for -1.
func extreme(sign int) func(list any) (any, Status) {
	return func(list any) (any, Status) {
		elements, ok := list.([]any)
		if !ok || len(elements) == 0 {
			return nil, Absent
		}
		for _, e := range elements {
			if !isNumber(e) {
				return nil, Absent
			}
		}
		out := elements[0]
		for _, e := range elements[1:] {
			n, s := compareNumbers(e, out)
			if s != Present {
				return nil, Unknown
			}
			if n*sign > 0 {
				out = e
			}
		}
		if _, ok := out.(int64); !ok {
			return nil, Unknown
		}
		return out, Present
	}
}
