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

// Package number decodes JSON without changing a number.
//
// Most numbers become an int64 or a float64. Those that neither can hold, such as an
// integer of 20 digits, become a json.Number, which has the digits as they were
// written.
package number

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

const (
	// maxLength limits the characters of a number, and maxExponent its exponent and that
	// of its inverse: arithmetic, comparisons and texts of larger ones take minutes, and a
	// short text can be such a number, as 1e1000000 is.
	maxLength, maxExponent = 1000, 999
)

// Unmarshal decodes the JSON value in data: nil, bool, int64, float64, json.Number,
// string, []any or map[string]any. Text behind the value is an error, and so is a number of
// more than 1,000 characters or with an exponent beyond 999.
func Unmarshal(data []byte) (any, error) {
	var value any
	if err := unmarshal(data, &value); err != nil {
		return nil, err
	}
	return convert(value)
}

// UnmarshalObject decodes the JSON object in data as Unmarshal does; nil for null.
func UnmarshalObject(data []byte) (map[string]any, error) {
	var object map[string]any
	if err := unmarshal(data, &object); err != nil || object == nil {
		return nil, err
	}
	_, err := convert(object)
	return object, err
}

func unmarshal(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text behind the JSON value")
	}
	return nil
}

// convert replaces each json.Number in v that an int64 or a float64 can hold.
func convert(v any) (_ any, err error) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if v[name], err = convert(value); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, value := range v {
			if v[i], err = convert(value); err != nil {
				return nil, err
			}
		}
	case json.Number:
		if err := check(string(v)); err != nil {
			return nil, err
		}
		return parse(v), nil
	}
	return v, nil
}

// check returns an error for a JSON number that is too large or too small.
func check(text string) error {
	if len(text) > maxLength {
		return fmt.Errorf("number %.20s… has more than %d characters", text, maxLength)
	}
	_, exponent, ok := strings.Cut(strings.ToLower(text), "e")
	if n, err := strconv.Atoi(exponent); ok && (err != nil || n > maxExponent || n < -maxExponent) {
		return fmt.Errorf("number %s has an exponent beyond %d", text, maxExponent)
	}
	return nil
}

// exactDigits is the number of decimal digits that each float64 can hold.
const exactDigits = 15

func parse(n json.Number) any {
	text := string(n)
	if !strings.ContainsAny(text, ".eE") {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i
		}
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && digits(text) <= exactDigits && (f != 0 || isZero(text)) {
		return f
	}
	return n
}

// digits returns the number of significant digits of a JSON number.
func digits(text string) int {
	return len(strings.Trim(strings.Replace(mantissa(text), ".", "", 1), "0"))
}

// isZero reports whether a JSON number is 0, and not too small for a float64.
func isZero(text string) bool { return digits(text) == 0 }

// mantissa returns a JSON number without its sign and exponent.
func mantissa(text string) string {
	text, _, _ = strings.Cut(strings.ToLower(text), "e")
	return strings.TrimPrefix(text, "-")
}

// Literals returns v with each json.Number as a CUE literal, since CUE takes a
// json.Number for a string. It does not change v.
func Literals(v any) any {
	if !hasNumber(v) {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[name] = Literals(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = Literals(value)
		}
		return out
	case json.Number:
		return literal(string(v))
	}
	return v
}

func hasNumber(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			if hasNumber(value) {
				return true
			}
		}
	case []any:
		for _, value := range v {
			if hasNumber(value) {
				return true
			}
		}
	case json.Number:
		return true
	}
	return false
}

func literal(text string) ast.Expr {
	kind := token.INT
	if strings.ContainsAny(text, ".eE") {
		kind = token.FLOAT
	}
	if digits, negative := strings.CutPrefix(text, "-"); negative {
		return &ast.UnaryExpr{Op: token.SUB, X: ast.NewLit(kind, digits)}
	}
	return ast.NewLit(kind, text)
}
