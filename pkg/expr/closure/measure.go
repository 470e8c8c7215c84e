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
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
	"github.com/cockroachdb/apd/v3"

	"github.com/kubevela/kube-trigger/pkg/expr/measure"
)

// measured returns the function and the argument of `(_#quantity & {$of: x}).value`, which
// quantity(x) stands for; or "".
func measured(x *ast.SelectorExpr) (measure.Function, ast.Expr) {
	name, _, err := ast.LabelName(x.Sel)
	call, ok := unparenthesized(x.X).(*ast.BinaryExpr)
	if err != nil || name != "value" || !ok || call.Op != token.AND {
		return "", nil
	}
	id, ok := call.X.(*ast.Ident)
	argument, also := call.Y.(*ast.StructLit)
	if !ok || !also || len(argument.Elts) != 1 {
		return "", nil
	}
	f, ok := argument.Elts[0].(*ast.Field)
	if !ok {
		return "", nil
	}
	label, _, err := ast.LabelName(f.Label)
	function, ok := strings.CutPrefix(id.Name, "_#")
	if err != nil || label != "$of" || !ok {
		return "", nil
	}
	for _, known := range measure.Functions() {
		if string(known) == function {
			return known, f.Value
		}
	}
	return "", nil
}

// measure is quantity(x), timestamp(x) or version(x).
func (c *compiler) measure(f measure.Function, x ast.Expr) (code, error) {
	operand, err := c.compile(x)
	if err != nil {
		return code{}, err
	}
	if f == measure.Version {
		version := f.Func()
		return unaryCode(operand, func(v any) (any, Status) {
			if out := version(v); out != nil {
				return out, Present
			}
			return nil, operand.excluded()
		}), nil
	}
	pattern, err := regexp.Compile(f.Pattern())
	if err != nil {
		return code{}, fmt.Errorf("pattern of %s: %w", f, err)
	}
	read := timestamp
	if f == measure.Quantity {
		read = quantity
	}
	return unaryCode(operand, func(v any) (any, Status) {
		text, ok := v.(string)
		if n, isInt := v.(int64); isInt && f == measure.Quantity {
			text, ok = strconv.FormatInt(n, 10), true
		}
		if !ok && f == measure.Quantity {
			if isNumber(v) {
				return nil, Unknown
			}
			return nil, operand.excluded()
		}
		parts := pattern.FindStringSubmatch(text)
		if !ok || parts == nil {
			return nil, operand.excluded()
		}
		return read(parts)
	}), nil
}

// maxDigits is the length of a number up to which CUE does not round it.
const maxDigits = 30

// quantity returns the number of the sign, the digits and the unit of a quantity.
func quantity(parts []string) (any, Status) {
	digits := parts[2]
	if len(digits)+len(parts[3]) > maxDigits {
		return nil, Unknown
	}
	fraction := strings.Contains(digits, ".")
	if fraction {
		digits = "0" + digits
		if !strings.HasPrefix(parts[2], ".") {
			digits = parts[2] + "0"
		}
	}
	factor, integer := unit(parts[3])
	if factor == nil || !json.Valid([]byte(digits)) {
		return nil, Absent
	}
	n, _, err := apd.NewFromString(parts[1] + digits)
	if err != nil {
		return nil, Absent
	}
	out := &decimal{integer: integer && !fraction}
	if _, err := apd.BaseContext.WithPrecision(precision).Mul(&out.Decimal, n, factor); err != nil {
		return nil, Absent
	}
	return out.normal(), Present
}

// unit returns the factor of a unit, and whether it is of CUE's kind int; nil if there is none.
func unit(name string) (factor *apd.Decimal, integer bool) {
	const decimals, binary = "kMGTPE", "KMGTPE"
	switch {
	case name == "":
		return apd.New(1, 0), true
	case strings.ContainsAny(name, "0123456789"):
		d, _, err := apd.NewFromString("1" + name)
		if err != nil {
			return nil, false
		}
		return d, false
	case len(name) == 2 && name[1] == 'i':
		i := strings.IndexByte(binary, name[0])
		return apd.New(1<<(10*(i+1)), 0), true
	}
	if i := strings.Index("m u n", name); i >= 0 {
		return apd.New(1, int32(-3*(i/2+1))), false
	}
	n := int64(1)
	for range strings.Index(decimals, name) + 1 {
		n *= 1000
	}
	return apd.New(n, 0), true
}

// timestamp returns the seconds since 1970 of the parts of a time.
func timestamp(parts []string) (any, Status) {
	clock, zone := parts[2], "Z"
	if clock == "" {
		clock = "00:00:00"
	}
	if parts[4] != "" {
		zone = parts[4] + ":" + parts[5]
	}
	t, err := time.Parse(time.RFC3339Nano, parts[1]+"T"+clock+zone)
	switch {
	case err != nil:
		return nil, Absent
	case t.UTC().Year() < 1 || t.UTC().Year() > 9999:
		return nil, Unknown
	case t.Nanosecond() == 0:
		return t.Unix(), Present
	}
	out := &decimal{}
	if _, err := apd.BaseContext.WithPrecision(precision).Add(&out.Decimal, apd.New(t.Unix(), 0), apd.New(int64(t.Nanosecond()), -9)); err != nil {
		return nil, Unknown
	}
	return out, Present
}
