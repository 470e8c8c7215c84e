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

package provider

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// TestTable_Packages has each function of the CUE packages. Views cannot call those
// that return Secrets.
func TestTable_Packages(t *testing.T) {
	e, _ := New(Options{}).(*executor)
	found := map[string]bool{}
	for path, p := range Packages() {
		file, err := parser.ParseFile(path, p.Source())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			name := functionName(d)
			if name == "" {
				continue
			}
			found[name] = true
			provider, do, _ := strings.Cut(name, ".")
			own := reflect.ValueOf(lookup(Call{Provider: provider, Do: do}).run).Pointer() != reflect.ValueOf(workflow).Pointer()
			if !own && e.workflow[provider][do] == nil {
				t.Errorf("%s: no function %s", path, name)
			}
			if f := lookup(Call{Provider: provider, Do: do}); f.inViews != nil && f.secret {
				t.Errorf("views can call %s, which returns Secrets", name)
			}
		}
	}
	for _, name := range []string{"kube.patch", "op.patch", "query.view", "query.searchEvents", "metrics.promCheck"} {
		if !found[name] {
			t.Errorf("no package has the function %s", name)
		}
	}
}

// functionName returns the name of the function that a definition of a package calls, or
// "".
func functionName(d ast.Decl) string {
	field, _ := d.(*ast.Field)
	if field == nil {
		return ""
	}
	definition, _ := field.Value.(*ast.StructLit)
	if definition == nil {
		return ""
	}
	parts := map[string]string{}
	for _, elt := range definition.Elts {
		if f, ok := elt.(*ast.Field); ok {
			if text, ok := f.Value.(*ast.BasicLit); ok {
				parts[expr.LabelName(f.Label)], _ = strconv.Unquote(text.Value)
			}
		}
	}
	if parts["#do"] == "" {
		return ""
	}
	return parts["#provider"] + "." + parts["#do"]
}

// TestExecute_RedactsResults redacts the errors that are part of results.
func TestExecute_RedactsResults(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(append([]byte("invalid "), body...))
	}))
	defer server.Close()
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	ctx := redact.NewContext(t.Context(), redact.New(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "stringData": map[string]any{"password": "hunter2"},
	}))
	for _, keepGoing := range []bool{true, false} {
		result, err := New(Options{Egress: out}).Execute(ctx, Call{Provider: "http", Do: "do", Params: map[string]any{
			"url": server.URL, "requireOK": true, "keepGoing": keepGoing, "request": map[string]any{"body": "hunter2"},
		}})
		var text string
		if keepGoing && err == nil {
			text = str(result["$returns"].(map[string]any), "failure")
		} else if !keepGoing && err != nil {
			text = err.Error()
		}
		if !strings.HasSuffix(text, "invalid (redacted)") {
			t.Errorf("keepGoing %v: got %v, %v", keepGoing, result, err)
		}
	}
}

// TestExecute_RedactsBeforeCut: a secret that a response repeats where its excerpt is cut
// leaves none of its beginning.
func TestExecute_RedactsBeforeCut(t *testing.T) {
	const password = "correct-horse-battery-staple"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"code": 1, "message": "%s %s"}`, strings.Repeat("x", maxExcerpt-20), base64.StdEncoding.EncodeToString([]byte("user:"+password)))
	}))
	defer server.Close()
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	ctx := redact.NewContext(t.Context(), redact.New(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "stringData": map[string]any{"password": password},
	}))
	_, err := New(Options{Egress: out}).Execute(ctx, Call{Provider: "http", Do: "do", Params: map[string]any{
		"url": server.URL, "accept": map[string]any{"field": "code", "in": []any{int64(0)}, "message": "message"},
	}})
	if err == nil || !strings.Contains(err.Error(), "xxx dXNlcjp(redacted)") {
		t.Errorf("got %v, want an error with a redacted message", err)
	}
}
