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

package closure_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	cueerrors "cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"github.com/cockroachdb/apd/v3"

	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// helpers are the declarations that expressions refer to.
const helpers = `
_helper: data.a
_items: [for x in data.l if (*(x > 1) | false) {x}]
let Sum = data.i + 1
_sum: Sum
_nested: {inner: data.b}
_absent: data.missing
#limit: 3
`

// context is `context` with data alone.
type context map[string]any

func (c context) Field(name string) (any, bool) { v, ok := c[name]; return v, ok }
func (c context) EventField(string) (any, bool) { return nil, false }
func (c context) Whole() map[string]any         { return c }

// parse returns a file with an expression about data, result.
func parse(text string) (*ast.File, error) {
	file, err := expr.ParseFile("test", "result: "+text+helpers+"data: _\n")
	if err != nil {
		return nil, err
	}
	if err := expr.DefineFunctions(file); err != nil {
		return nil, err
	}
	return file, expr.Resolve(file)
}

// compile returns the closure of an expression about data.
func compile(text string) (*closure.Program, error) {
	file, err := parse(text)
	if err != nil {
		return nil, err
	}
	return closure.Compile(file, []string{"result"}, closure.Options{Inputs: map[string]closure.Input{"data": func(c closure.Context) (any, bool) { return c.Field("data") }}})
}

// byCUE returns the value that CUE has for an expression; false if it has none.
func byCUE(text string, data any) (value string, ok bool) {
	v, err := panicerr.Call(func() (cue.Value, error) {
		ctx := cuecontext.New()
		file, err := parse(text)
		if err != nil {
			return cue.Value{}, err
		}
		embedded := expr.EmbeddedElements(file)
		v := ctx.BuildFile(file).Unify(expr.Encode(ctx, map[string]any{"data": data}, embedded))
		return v.LookupPath(cue.ParsePath("result")), nil
	})
	if err == nil {
		err = v.Validate(cue.Concrete(true))
	}
	if err != nil {
		return fault(err), false
	}
	v, _ = v.Default()
	encoded, err := panicerr.Call(v.MarshalJSON)
	if err != nil {
		return "", false
	}
	return canonical(encoded), true
}

// faulty is what byCUE returns of a fault of CUE.
const faulty = "fault"

// fault returns faulty for a panic, and for two errors of CUE v0.14.1: that a declaration of
// another field, as _helper is, refers to itself, where it is compared and is a struct or a list;
// and that the value of {b: x}.b == _|_ changes, where that is part of a struct or a list.
func fault(err error) string {
	if errors.As(err, new(*panicerr.Error)) {
		return faulty
	}
	for _, e := range cueerrors.Errors(err) {
		format, _ := e.Msg()
		if strings.HasPrefix(format, "cycle with field") || strings.Contains(format, "changed after evaluation") {
			return faulty
		}
	}
	return ""
}

// canonical returns JSON in which equal numbers are equal texts.
func canonical(encoded []byte) string {
	d := json.NewDecoder(strings.NewReader(string(encoded)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return string(encoded)
	}
	text, err := json.Marshal(reduced(v))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func reduced(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = reduced(v[name])
		}
	case []any:
		for i := range v {
			v[i] = reduced(v[i])
		}
	case json.Number:
		d, _, err := apd.NewFromString(string(v))
		if err != nil {
			return v
		}
		d.Reduce(d)
		if d.IsZero() {
			d = apd.New(0, 0)
		}
		return "number " + d.Text('E')
	}
	return v
}

// outcome is the result of a closure beside that of CUE.
type outcome int

const (
	unsupported outcome = iota
	unknown
	same
	different
)

// compare evaluates an expression both ways.
func compare(text string, data any) (o outcome, difference string) {
	program, err := compile(text)
	if err != nil {
		return unsupported, ""
	}
	v, status := program.Evaluate(context{"data": data}, "result")
	if status == closure.Unknown {
		return unknown, ""
	}
	want, ok := byCUE(text, data)
	got := "no value"
	if status == closure.Present {
		encoded, err := json.Marshal(v)
		if err != nil {
			return different, err.Error()
		}
		got = canonical(encoded)
	}
	switch {
	case want == faulty:
		return unknown, ""
	case !ok:
		want = "no value"
	}
	if got != want {
		return different, fmt.Sprintf("%s\nof %v\nis %s, in CUE %s", text, data, got, want)
	}
	return same, ""
}

func expressions(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/expressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "\t") { // a literal of several lines
			all[len(all)-1] += line
			continue
		}
		all = append(all, line)
	}
	return all
}

func objects(t testing.TB) []any {
	t.Helper()
	text, err := os.ReadFile("testdata/objects.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := number.Unmarshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return v.([]any)
}

// Each expression has the value that it has in CUE, for each object.
func TestProgram_SameAsCUE(t *testing.T) {
	found := map[outcome]int{}
	var left []string
	for _, text := range expressions(t) {
		if _, err := compile(text); err != nil {
			if !errors.As(err, new(*closure.UnsupportedError)) {
				t.Errorf("%s: %v", text, err)
			}
			left = append(left, strings.TrimSpace(text))
		}
		for _, o := range objects(t) {
			result, difference := compare(text, o)
			found[result]++
			if result == different {
				t.Error(difference)
			}

		}
	}
	t.Logf("%d of %d pairs have the same value, of %d only CUE can tell", found[same], len(expressions(t))*len(objects(t)), found[unknown])
	if found[same] < 1000 || found[unknown] > found[same]/8 {
		t.Errorf("only %d pairs are compared, and of %d only CUE can tell", found[same], found[unknown])
	}
	want := []string{
		"data.a | 1", "[...data.l]", "list.Sum(data.l)", "close({a: 1})", "data.a.#b", "'bytes' == data.s",
	}
	if !slices.Equal(left, want) {
		t.Errorf("left to CUE:\n%s\nwant\n%s", strings.Join(left, "\n"), strings.Join(want, "\n"))
	}
}

// Any expression has the value that it has in CUE, for any object.
func FuzzProgram(f *testing.F) {
	objects := objects(f)
	for i, text := range expressions(f) {
		encoded, err := json.Marshal(objects[i%len(objects)])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, string(encoded))
	}
	f.Fuzz(func(t *testing.T, text, object string) {
		// Skip what takes CUE very long, or all memory.
		if len(text) > 200 || len(object) > 2000 || strings.Count(text, "for") > 2 || strings.Count(text, "*") > 3 {
			return
		}
		data, err := number.Unmarshal([]byte(object))
		if err != nil {
			return
		}
		if _, err := panicerr.Call(func() (ast.Expr, error) { return parser.ParseExpr("test", text) }); err != nil {
			t.Skip("not one expression")
		}
		if result, difference := compare(text, data); result == different {
			t.Error(difference)
		}
	})
}
