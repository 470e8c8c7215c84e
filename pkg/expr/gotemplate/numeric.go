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

package gotemplate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// numeric is a number of the event in the arguments of printf and print. Whether JSON has
// 80 or 80.0 decides its type in Go, and not whether %d, %s or %.2f prints it.
type numeric struct{ value any }

// Format implements fmt.Formatter.
func (n numeric) Format(s fmt.State, verb rune) {
	format := fmt.FormatString(s, verb)
	value := n.value
	switch verb {
	case 'v':
		if s.Flag('#') || s.Flag('+') {
			break
		}
		format, value = strings.TrimSuffix(format, "v")+"s", textOf(value)
	case 's':
		value = textOf(value)
	case 'd':
		if i := integral(value); i != nil {
			value = i
		} else {
			format, value = strings.TrimSuffix(format, "d")+"s", textOf(value)
		}
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if _, isFloat := value.(float64); isFloat {
			break
		}
		if f, ok := number(value); ok && isPrintable(f) {
			value = f
		} else {
			format, value = "%s", textOf(value)
		}
	}
	fmt.Fprintf(s, format, value)
}

// maxExponent is the binary exponent of the largest float64.
const maxExponent = 1024

// isPrintable reports whether %f prints f with no more digits than a float64.
func isPrintable(f *big.Float) bool {
	exponent := f.MantExp(nil)
	return !f.IsInf() && exponent <= maxExponent && exponent >= -maxExponent
}

// maxDigits limits the digits of a number that is printed with %d.
const maxDigits = 1000

// integral returns a number as an integer; nil if it is none.
func integral(v any) any {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v)
		}
		return nil
	case json.Number:
		if i, ok := new(big.Int).SetString(string(v[:min(len(v), maxDigits)]), 10); ok && len(v) <= maxDigits {
			return i
		}
		return nil
	}
	return v
}

// arguments returns the arguments of printf or print with absent values that are empty,
// and numbers that each verb prints.
func arguments(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case nil:
			out[i] = absent{}
		case int64, float64, json.Number:
			out[i] = numeric{a}
		default:
			out[i] = a
		}
	}
	return out
}

// printable returns the arguments of printf. A * takes a number as the width, and an
// argument without a verb is printed with its type.
func printable(format string, args []any) []any {
	out, verbs := arguments(args), strings.Count(format, "%")-2*strings.Count(format, "%%")
	for i, a := range args {
		if a != nil && (strings.Contains(format, "*") || i >= verbs && !strings.Contains(format, "[")) {
			out[i] = a
		}
	}
	return out
}
