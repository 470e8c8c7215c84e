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

package expr

import (
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"
)

func TestEncode(t *testing.T) {
	item := func(name string) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": name}, "none": nil}
	}
	data := map[string]any{"items": []any{item("a"), item("b")}}
	for _, test := range []struct {
		source string
		embeds bool
	}{
		{`all: [for i in items {i}], is: all[1].metadata.name`, true},
		{`all: [for i in items {i.metadata}], is: all[1].name`, true},
		{`all: [for i in items let m = i.metadata {m}], is: all[1].name`, true},
		{`all: [for i in items {i["metadata"] & {name: string}}], is: all[1].name`, true},
		{`all: [for i in items {(i.metadata), more: 1}], is: all[1].name`, true},
		{`all: [for i in items {m: i.metadata}], is: all[1].m.name`, false},
		{`all: [for i in items {#M & {name: i.metadata.name}}], is: all[1].name, #M: {name: string}`, false},
		{`all: [for i in items if i.none == null {i.metadata.name}], is: all[1]`, false},
		{`all: [for i in items if len([for j in items {j}]) == 2 {i.metadata.name}], is: all[1]`, false},
		{`all: [for i in items if len([for j in [for k in items {k}] if j.none == null {j}]) == 2 {i.metadata.name}], is: all[1]`, true},
		{`all: [for i in items {i.metadata.name + ""}], is: all[1]`, false},
		{`all: [items[1].metadata], is: all[0].name`, false},
	} {
		source := "items: _\n" + test.source
		file, err := parser.ParseFile("test.cue", source)
		if err != nil {
			t.Fatal(err)
		}
		embedded := EmbeddedElements(file)
		if got := embedded.existsIn(data); got != test.embeds {
			t.Errorf("%s: embeds elements: %t, want %t", test.source, got, test.embeds)
		}
		ctx := cuecontext.New()
		v := ctx.CompileString(source).Unify(Encode(ctx, data, embedded))
		if is, err := v.LookupPath(cue.ParsePath("is")).String(); is != "b" {
			t.Errorf("%s: is %q, %v", test.source, is, err)
		}
	}
}
