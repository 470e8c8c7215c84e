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
	"encoding/json"
	"strings"

	cuestrings "cuelang.org/go/pkg/strings"

	"github.com/kubevela/kube-trigger/pkg/number"
)

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
