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
	"cmp"
	"encoding/json"
	"math"
	"math/bits"
	"strings"

	"cuelang.org/go/cue/token"
	"github.com/cockroachdb/apd/v3"
)

// precision is the number of digits with which CUE calculates (internal.BaseContext of CUE
// v0.14).
const precision = 34

// decimalOf returns the decimal that CUE has for a number; false if it has none.
func decimalOf(v any) (*apd.Decimal, bool) {
	switch v := v.(type) {
	case int64:
		return apd.New(v, 0), true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false
		}
		d, err := new(apd.Decimal).SetFloat64(v)
		return d, err == nil
	case json.Number:
		d, _, err := apd.NewFromString(string(v))
		return d, err == nil && d.Form == apd.Finite
	case *decimal:
		return &v.Decimal, true
	}
	return nil, false
}

// compareNumbers compares two numbers.
func compareNumbers(a, b any) (int, Status) {
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b), Present
		}
	case float64:
		if b, ok := b.(float64); ok && !math.IsNaN(a) && !math.IsNaN(b) {
			return cmp.Compare(a, b), Present
		}
	}
	x, ok := decimalOf(a)
	y, also := decimalOf(b)
	if !ok || !also {
		return 0, Unknown
	}
	return x.Cmp(y), Present
}

// arithmetic is `a + b`, `a - b`, `a * b` or `a / b`.
func arithmetic(op token.Token, a, b code) code {
	return binaryCode(a, b, func(x, y any) (any, Status) { return calculate(op, x, y) })
}

func calculate(op token.Token, x, y any) (any, Status) {
	if a, ok := x.(int64); ok {
		if b, ok := y.(int64); ok {
			if v, ok := calculateIntegers(op, a, b); ok {
				return v, Present
			}
		}
	}
	if isNumber(x) && isNumber(y) {
		return calculateDecimals(op, x, y)
	}
	if a, ok := x.(string); ok && op == token.ADD {
		if b, ok := y.(string); ok {
			return a + b, Present
		}
	}
	if _, ok := x.(octets); ok {
		return nil, Unknown
	}
	if op == token.MUL && (isNumber(x) || isNumber(y)) {
		return nil, Unknown // CUE may repeat a text
	}
	return nil, Absent
}

// calculateIntegers returns the result, or false if it is no int64, or a quotient.
func calculateIntegers(op token.Token, a, b int64) (any, bool) {
	switch op {
	case token.ADD:
		sum := a + b
		return sum, (sum > a) == (b > 0)
	case token.SUB:
		difference := a - b
		return difference, (difference < a) == (b > 0)
	case token.MUL:
		high, low := bits.Mul64(magnitude(a), magnitude(b))
		return a * b, high == 0 && low <= math.MaxInt64
	}
	return nil, false
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func calculateDecimals(op token.Token, x, y any) (any, Status) {
	a, ok := decimalOf(x)
	b, also := decimalOf(y)
	if !ok || !also {
		return nil, Unknown
	}
	out := &decimal{integer: isInteger(x) && isInteger(y) && op != token.QUO}
	context := apd.BaseContext.WithPrecision(precision)
	var err error
	switch op {
	case token.ADD:
		_, err = context.Add(&out.Decimal, a, b)
	case token.SUB:
		_, err = context.Sub(&out.Decimal, a, b)
	case token.MUL:
		_, err = context.Mul(&out.Decimal, a, b)
	case token.QUO:
		_, err = context.Quo(&out.Decimal, a, b)
	}
	if err != nil {
		return nil, Absent // a division by zero, or an exponent that is too large
	}
	return out.normal(), Present
}

// isInteger reports whether a number is of CUE's kind int.
func isInteger(v any) bool {
	switch v := v.(type) {
	case int64:
		return true
	case json.Number:
		return !strings.ContainsAny(string(v), ".eE")
	case *decimal:
		return v.integer
	}
	return false
}

// negative is `-x`.
func negative(x code) code {
	return unaryCode(x, func(v any) (any, Status) {
		switch v := v.(type) {
		case int64:
			if v != math.MinInt64 && v != 0 {
				return -v, Present
			}
			return nil, Unknown
		case *decimal:
			out := &decimal{integer: v.integer}
			out.Neg(&v.Decimal)
			return out, Present
		}
		return unlessNumber(v)
	})
}

// positive is `+x`.
func positive(x code) code {
	return unaryCode(x, func(v any) (any, Status) {
		if isNumber(v) {
			return v, Present
		}
		return nil, Absent
	})
}

// unlessNumber is for operations that have no result but for numbers, and leave v, if it is
// one, to CUE.
func unlessNumber(v any) (any, Status) {
	if isNumber(v) {
		return nil, Unknown
	}
	return nil, Absent
}

// division is div(a, b), mod(a, b), quo(a, b) or rem(a, b): the first two are Euclid's, the
// others truncate.
func division(name string) func(a, b any) (any, Status) {
	return func(x, y any) (any, Status) {
		if !isNumber(x) || !isNumber(y) {
			return nil, Absent
		}
		a, ok := x.(int64)
		b, also := y.(int64)
		switch {
		case !ok || !also || a == math.MinInt64:
			return nil, Unknown
		case b == 0:
			return nil, Absent
		}
		quotient, remainder := a/b, a%b
		if remainder < 0 && (name == "div" || name == "mod") {
			if b > 0 {
				quotient, remainder = quotient-1, remainder+b
			} else {
				quotient, remainder = quotient+1, remainder-b
			}
		}
		if name == "div" || name == "quo" {
			return quotient, Present
		}
		return remainder, Present
	}
}
