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
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
	"github.com/cockroachdb/apd/v3"
)

// value returns the code of a constant.
func value(v any) code {
	_, boolean := v.(bool)
	return code{eval: func(*frame) (any, Status) { return v, Present }, total: true, boolean: boolean, constant: true}
}

// literal is `"text"`, `1`, `true` or `null`.
func (c *compiler) literal(x *ast.BasicLit) (code, error) {
	switch x.Kind {
	case token.NULL:
		return value(nil), nil
	case token.TRUE, token.FALSE:
		return value(x.Kind == token.TRUE), nil
	case token.STRING:
		text, err := literal.Unquote(x.Value)
		if err != nil || strings.HasPrefix(strings.TrimLeft(x.Value, "#"), "'") {
			return code{}, unsupported(x, "a literal of bytes")
		}
		return value(text), nil
	case token.INT, token.FLOAT:
		var n literal.NumInfo
		if err := literal.ParseNum(x.Value, &n); err != nil {
			return code{}, unsupported(x, "the number %s", x.Value)
		}
		d := &decimal{integer: n.IsInt()}
		if err := n.Decimal(&d.Decimal); err != nil || d.Form != apd.Finite {
			return code{}, unsupported(x, "the number %s", x.Value)
		}
		return value(d.normal()), nil
	}
	return code{}, unsupported(x, "the literal %s", x.Value)
}

// interpolation is `"text \(x)"`.
func (c *compiler) interpolation(x *ast.Interpolation) (code, error) {
	first, ok := x.Elts[0].(*ast.BasicLit)
	last, also := x.Elts[len(x.Elts)-1].(*ast.BasicLit)
	if !ok || !also {
		return code{}, unsupported(x, "this interpolation")
	}
	quotes, skip, _, err := literal.ParseQuotes(first.Value, last.Value)
	if err != nil || !quotes.IsDouble() {
		return code{}, unsupported(x, "an interpolation of bytes")
	}
	parts := make([]code, len(x.Elts))
	constant := true
	for i, part := range x.Elts {
		if i%2 == 1 {
			if parts[i], err = c.compile(part); err != nil {
				return code{}, err
			}
			constant = constant && parts[i].constant
			continue
		}
		text, err := quotes.Unquote(part.(*ast.BasicLit).Value[skip:]) //nolint:forcetypeassert // the parser alternates them
		if err != nil {
			return code{}, unsupported(x, "this interpolation")
		}
		parts[i], skip = value(text), 1
	}
	return code{constant: constant, eval: func(f *frame) (any, Status) {
		var b strings.Builder
		status := Present
		for _, p := range parts {
			v, s := p.eval(f)
			if s != Present {
				return nil, Unknown // in CUE v0.14.1, the text of some errors is ""
			}
			status = max(status, interpolate(&b, v))
		}
		if status != Present {
			return nil, status
		}
		return b.String(), Present
	}}, nil
}

// interpolate writes the text of a value.
func interpolate(b *strings.Builder, v any) Status {
	switch v := v.(type) {
	case string:
		b.WriteString(v)
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case json.Number:
		d, ok := decimalOf(v)
		if !ok {
			return Unknown
		}
		b.WriteString(d.String())
	case float64, *decimal, octets:
		return Unknown
	default:
		return Absent
	}
	return Present
}

// octets are CUE's bytes. Only functions take them.
type octets []byte

// decimal is a number that is no int64.
type decimal struct {
	apd.Decimal
	// integer is set if it is of CUE's kind int.
	integer bool
}

// MarshalJSON implements json.Marshaler.
func (d *decimal) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }

// normal returns d, or the int64 that it is.
func (d *decimal) normal() any {
	if d.integer && d.Form == apd.Finite {
		if i, err := d.Int64(); err == nil {
			return i
		}
	}
	return d
}
