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

package types_test

import (
	"testing"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/types"
)

const inputSchema = `{
	text: string
	items: [...{name: string, ready: bool}]
	data: {...}
	closed: {n: int, default: *"x" | int}
}`

// analyse returns the analysis of a text that declares x and helpers, and x.
func analyse(t *testing.T, text string) (*types.Analysis, ast.Expr) {
	t.Helper()
	file, err := expr.ParseFile("test", "import \"strings\"\nimport \"list\"\nx: "+text+"\n_used: [strings.ToUpper(\"\"), list.Concat([])]")
	if err != nil {
		t.Fatal(err)
	}
	if err := expr.Resolve(file); err != nil {
		t.Fatal(err)
	}
	schema, err := parser.ParseExpr("schema", inputSchema)
	if err != nil {
		t.Fatal(err)
	}
	context := types.FromSchema(schema)
	a := types.Analyse(file, func(id *ast.Ident) (datatype.Type, bool) { return context, id.Name == "context" && id.Node == nil })
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok && expr.LabelName(f.Label) == "x" {
			return a, f.Value
		}
	}
	t.Fatal("no x")
	return nil, nil
}

func TestAnalysis_Of(t *testing.T) {
	for text, want := range map[string]datatype.Kinds{
		`"a"`: datatype.String, `'a'`: datatype.Bytes, `1.5`: datatype.Number, `true`: datatype.Bool, `null`: datatype.Null,
		`[1]`: datatype.List, `{a: 1}`: datatype.Struct, `"\(context.text)"`: datatype.String,
		`context.text`: datatype.String, `context.closed.n`: datatype.Number, `context.closed.default`: datatype.String | datatype.Number,
		`context.data.a`: datatype.Any, `context.items`: datatype.List, `context.items[0].name`: datatype.String,
		`[for i in context.items {i.ready}]`: datatype.List, `[for i in context.items {i.ready}][0]`: datatype.Bool,
		`[for k, v in context.data {k}][0]`: datatype.String | datatype.Number, `[if context.data.a {1}, "x"][0]`: datatype.Number | datatype.String,
		`context.data.a == 1`: datatype.Bool, `!context.data.a`: datatype.Bool, `context.data.a && context.data.b`: datatype.Bool,
		`context.text + context.data.a`: datatype.String, `1 + 2`: datatype.Number, `context.data.a - 1`: datatype.Number,
		`*context.data.a | "x"`: datatype.Any, `*context.text | 1`: datatype.String | datatype.Number,
		`context.data.a & string`: datatype.String, `context.data.a & !=null`: datatype.Any &^ datatype.Null, `context.text & =~"a"`: datatype.String,
		`len(context.items)`: datatype.Number, `version(context.data.a)`: datatype.String, `quantity(context.data.a) > 1`: datatype.Bool,
		`strings.HasPrefix(context.text, "a")`: datatype.Any, `strings.ToUpper(context.text)`: datatype.Any &^ datatype.Bool,
		"_h\n_h: context.closed.n > 1": datatype.Bool, "H\nlet H = [context.text]": datatype.List,
		"_a\n_a: _b\n_b: _a": datatype.Any, `string`: datatype.Any &^ datatype.Bool,
	} {
		a, x := analyse(t, text)
		if got := a.Of(x).Kinds; got != want {
			t.Errorf("%s: got %b, want %b", text, got, want)
		}
	}
}

func TestType_Field(t *testing.T) {
	a, x := analyse(t, "context")
	context := a.Of(x)
	for _, c := range []struct {
		path []string
		want bool
	}{
		{[]string{"text"}, true}, {[]string{"tex"}, false}, {[]string{"text", "a"}, false},
		{[]string{"data", "any", "thing"}, true}, {[]string{"closed", "n"}, true}, {[]string{"closed", "m"}, false},
	} {
		at, ok := context, true
		for _, name := range c.path {
			at, ok = at.Field(name)
		}
		if ok != c.want {
			t.Errorf("%v: got %v", c.path, ok)
		}
	}
}

func TestKinds_String(t *testing.T) {
	for kinds, want := range map[datatype.Kinds]string{datatype.Bool: "a boolean", datatype.Bytes: "bytes", datatype.Any: "", datatype.Bool | datatype.Null: "", 0: ""} {
		if got := kinds.String(); got != want {
			t.Errorf("%b: got %q, want %q", kinds, got, want)
		}
	}
}
