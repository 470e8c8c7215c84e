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
