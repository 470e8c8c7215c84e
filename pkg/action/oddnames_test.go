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

package action_test

import (
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue/literal"
	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// oddNames returns more than 200 names of fields, most of which are no identifiers of CUE.
// All are in Unicode's normal form C, to which CUE converts labels in a source.
func oddNames() []string {
	names := []string{
		"", " ", "  ", "\t", "\n", "\r\n", "\x00", "\u200b", "\ufeff", "\u2028", "_", "__", "#", "_#", "$", ".", "..", "-", "--", "/", "\\", "'", "\"", "\"\"", "`", "\"\"\"", "#\"a\"#",
		"a", "A", "aB", "a1", "a_b", "a$b", "a-b", "a.b", "a/b", "a:b", "a b", "a,b", "a;b", "a=b", "a+b", "a*b", "a&b", "a|b", "a!b", "a?b", "a<b", "a>b", "a@b", "a#b", "a%b", "a^b", "a~b", "a'b", "a\"b", "a\\b", "a`b", "a\nb", "a\tb", "a\x00b", "a{b}", "a[b]", "a(b)", "[0]", "[string]", "{a: 1}", "(a)", "a?", "a!", "...", "*a | b",
		"kube-root-ca.crt", "tls.crt", "ca.crt", ".dockerconfigjson", "app.kubernetes.io/name", "example.com/a-b_c.d", "my-app", "web-0", "web-7d9f8c6b5-x2x4z", "10.0.0.1", "::1", "sha256:0123abcd", "2024-01-01T00:00:00Z", "user@example.com", "https://example.com/?a=b&c=d#e", "config.yaml", ".env", "-a", "a-", ".a", "a.", "/a", "a/",
		"0", "1", "12", "007", "1a", "1.5", "-1", "+1", "1e3", "0x1f", "0b1", "1_000", "1Ki", "1G", "NaN", "Infinity", "9007199254740993",
		"null", "true", "false", "for", "in", "if", "let", "import", "package", "and", "or", "len", "close", "div", "mod", "quo", "rem", "string", "int", "bool", "number", "bytes", "float", "top", "bottom", "_|_", "func", "self", "else", "fallback", "try",
		"_x", "__x", "#x", "_#x", "##x", "#_x", "$x", "$$x", "_$x", "x_", "x$", "#do", "#provider", "do", "provider",
		"$params", "$returns", "params", "returns", "err", "value", "items", "resource", "metadata", "name", "data", "cluster", "kind", "apiVersion",
		"n", "k", "c", "v", "i", "names", "kube", "json", "reads", "first", "second", "read", "list", "calls", "all", "context", "parameter", "#parameter", "#context", "result", "results", "step", "event", "redacted", "absent", "_absent",
		"\\(n)", "\\(context.data.metadata.name)", "\\u0041", "\\n", "{{.name}}", "{{ .data.x }}", "$(name)", "${name}", "%s", "%!s(MISSING)", "~", "~0", "~1", "a~b",
		"ünï", "日本", "日本-語", "é", "ß", "İ", "ﬁ", "Ω", "🙂", "👩‍👩‍👧", "a🙂b", "\U0001d400", "שלום", "مرحبا", "\u202eabc", "a\u00a0b", "\u0130", "ⅷ", "²", "٣", "𝟘",
		strings.Repeat("x", 63), strings.Repeat("x", 253), strings.Repeat("x-", 1000), strings.Repeat("日", 500), strings.Repeat("a.", 100) + "b",
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// namedCalls are templates whose result has the UID of a call for each name.
func namedCalls() map[string]string {
	return map[string]string{
		"label of a property": `reads: {for n in parameter.names {(n): GET(n)}}
result: {for k, r in reads {(k): r.$returns.metadata.uid}}`,
		"interpolated label": `reads: {for n in parameter.names {"\(n)": GET("\(n)")}}
result: {for k, r in reads {"\(k)": r.$returns.metadata.uid}}`,
		"label of the event": `reads: {for n, v in context.data.data {(n): GET(v)}}
result: {for k, r in reads {(k): r.$returns.metadata.uid}}`,
		"label of a result": `l: LIST
reads: {for o in l.$returns.items {(o.metadata.name): GET(o.metadata.name)}}
result: {for k, r in reads {(k): r.$returns.metadata.uid}}`,
		"key of a result": `l: LIST
reads: {for k, v in l.$returns.index {(k): GET(v)}}
result: {for k, r in reads {(k): r.$returns.metadata.uid}}`,
		"index": `reads: {for n in parameter.names {(n): GET(n)}}
result: {for n in parameter.names {(n): reads[n].$returns.metadata.uid}}`,
		"index by a result": `l: LIST
reads: {for o in l.$returns.items {(o.metadata.name): GET(o.metadata.name)}}
result: {for o in l.$returns.items {"\(o.metadata.name)": reads[o.metadata.name].$returns.metadata.uid}}`,
		"static label": `reads: {STATIC: GET(STATIC)}
result: {for k, r in reads {(k): r.$returns.metadata.uid}}`,
		"static index": `reads: {STATIC: GET(STATIC)}
result: {STATIC: reads[STATIC].$returns.metadata.uid}`,
		"hidden": `_reads: {for n in parameter.names {(n): GET(n)}}
result: {for k, r in _reads {(k): r.$returns.metadata.uid}}`,
		"below the label": `reads: {for n in parameter.names {(n): {read: GET(n)}}}
result: {for k, r in reads {(k): r.read.$returns.metadata.uid}}`,
		"chain below the label": `reads: {for n in parameter.names {(n): {first: GET(n), second: GET(first.$returns.metadata.name)}}}
result: {for k, r in reads {(k): r.second.$returns.metadata.uid}}`,
		"used as a value": `reads: {for n in parameter.names {(n): GET(n)}}
result: {for k, r in reads if json.Marshal(r) != "" {(k): r.$returns.metadata.uid}}`,
		"parameters": `reads: {for n in parameter.names {(n): GET(n)}}
result: {for k, r in reads {(r.$params.resource.metadata.name): r.$returns.metadata.uid}}`,
		"pattern": `reads: [N=string]: GET(N)
reads: {for n in parameter.names {(n): {}}}
result: {for k, r in reads {(k): r.$returns.metadata.uid}}`,
		"list": `reads: [for n in parameter.names {name: n, read: GET(n)}]
result: {for r in reads {(r.name): r.read.$returns.metadata.uid}}`,
		"condition": `reads: {for n in parameter.names {if true {(n): GET(n)}}}
result: {for k, r in reads if r.$returns.metadata.uid != "" {(k): r.$returns.metadata.uid}}`,
		"handled error": `reads: {for n in parameter.names {(n): READ(n)}}
result: {for k, r in reads {if r.$returns.err == _|_ {(k): r.$returns.value.metadata.uid}}}`,
		"two labels": `reads: {for n in parameter.names {(n): {(n): GET(n)}}}
result: {for k, r in reads {(k): r[k].$returns.metadata.uid}}`,
		"call as a result": `reads: {for n in parameter.names {(n): GET(n)}}
all: reads
result: {for k, r in all {(k): r.$returns.metadata.uid}}`,
	}
}

// TestShapes_Names gives the results of calls whose fields have any names.
func TestShapes_Names(t *testing.T) {
	names := oddNames()
	if len(names) < 200 {
		t.Fatalf("%d names, want at least 200", len(names))
	}
	for form, source := range namedCalls() {
		t.Run(form, func(t *testing.T) {
			for some := range slices.Chunk(names, 25) {
				checkNamedCalls(t, source, some)
			}
		})
	}
}

func checkNamedCalls(t *testing.T, source string, names []string) {
	t.Helper()
	if strings.Contains(source, "STATIC") && len(names) > 1 {
		for _, name := range names {
			checkNamedCalls(t, source, []string{name})
		}
		return
	}
	source = strings.ReplaceAll(expandCalls(source), "STATIC", literal.String.Quote(names[0]))
	template, diags := action.Parse("test", source+"\nparameter: names: [...string]\n")
	if len(diags) > 0 {
		t.Fatalf("%v\n%s", diags, source)
	}
	var items, properties []any
	index, want := map[string]any{}, map[string]any{}
	for _, n := range names {
		items, properties = append(items, shapeObject(n)), append(properties, n)
		index[n], want[n] = n, "uid-"+n
	}
	r := &recorder{answer: func(c provider.Call) (provider.Result, error) {
		if c.Do == "list" {
			return provider.Result{"$returns": map[string]any{"items": items, "index": index}}, nil
		}
		return answerShape(c)
	}}
	a, diags := template.Compile(action.Options{Executor: r, EvaluateResult: true, Properties: map[string]any{"names": properties}})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	result, err := a.Start(nil, nil)(t.Context(), event.Event{Data: map[string]any{"metadata": map[string]any{"name": "x"}, "data": index}})
	if err != nil {
		t.Errorf("%q: %v", names, err)
	} else if diff := cmp.Diff(want, result); diff != "" {
		t.Error(diff)
	}
}

// TestShapes_NamedContext: a call that takes the place of the event is an error, not lost.
func TestShapes_NamedContext(t *testing.T) {
	source := expandCalls(`for n, v in context.data.data {(n): GET(v)}`)
	for name, want := range map[string]string{"other": "", "context": `a call has the name "context"`} {
		s := &recorder{answer: answerShape}
		a := compile(t, source, nil, s)
		_, err := a.Start(nil, nil)(t.Context(), event.Event{Data: map[string]any{"data": map[string]any{name: "x"}}})
		switch {
		case want == "" && (err != nil || len(s.calls) != 1):
			t.Errorf("%s: %d calls, %v", name, len(s.calls), err)
		case want != "" && (err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}
