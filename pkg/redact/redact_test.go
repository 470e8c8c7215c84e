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

package redact_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/redact"
)

const redacted = "(redacted)"

func secret(values map[string]any) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "Secret", "data": values}
}

// TestValues_Text replaces values in each encoding.
func TestValues_Text(t *testing.T) {
	v := redact.New()
	for _, value := range []string{`p&"ss/`, "https://hooks.example/a/b?token=12345678", "ab", ""} {
		v.Add(value)
	}
	for _, text := range []string{
		`p&"ss/`, "p%26%22ss%2F", `p&\"ss/`, "https://hooks.example/a/b?token=12345678", "/a/b?token=12345678", "/a/b", "12345678", "ab",
		"abab", // adjacent values
	} {
		if got := v.Text("<" + text + ">"); got != "<"+redacted+">" {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{"https://hooks.example/ answered 400", ""} {
		if got := v.Text(text); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
}

// TestValues_Secrets replaces the values of Secrets in each field.
func TestValues_Secrets(t *testing.T) {
	// "czNjcjN0ICJ4Ig==" is `s3cr3t "x"`.
	v := redact.New(secret(map[string]any{"token": "czNjcjN0ICJ4Ig==", "short": "YQ=="}), map[string]any(nil))
	v.AddSecrets(map[string]any{"items": []any{
		map[string]any{"kind": "Secret", "stringData": map[string]any{"other": "other"}},
		map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"annotations": map[string]any{"copy": "of data"}}},
		map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "plain"}},
		map[string]any{"apiVersion": "x.y/v1", "kind": "Secret", "data": map[string]any{"a": "plain"}},
	}})
	v.AddStrings(map[string]any{"password": "hunter2", "n": int64(1)})
	text := fmt.Sprintf(`a: czNjcjN0ICJ4Ig==, s3cr3t "x", %q, s3cr3t+%%22x%%22, other, of data, hunter2; plain YQ==`, `s3cr3t "x"`)
	const r = redacted
	if got, want := v.Text(text), "a: "+r+", "+r+`, "`+r+`", `+r+", "+r+", "+r+", "+r+"; plain "+r; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestValues_Error keeps the errors that an error wraps.
func TestValues_Error(t *testing.T) {
	v := redact.New()
	v.Add("hunter2")
	failed := errors.New("failed")
	conflict := apierrors.NewConflict(schema.GroupResource{}, "hunter2", failed)
	err := v.Error(fmt.Errorf("patch: %w: %w", failed, conflict))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !errors.Is(err, failed) || !apierrors.IsConflict(err) {
		t.Errorf("got %v", err)
	}
	if err := v.Error(failed); err != failed { //nolint:errorlint // it has to be the same
		t.Errorf("got %v, want %v", err, failed)
	}
	if err := v.Error(nil); err != nil {
		t.Errorf("got %v", err)
	}
}

// TestBegin shares the values of a context.
func TestBegin(t *testing.T) {
	ctx, v := redact.Begin(t.Context())
	if _, same := redact.Begin(ctx); same != v {
		t.Error("the values differ")
	}
	if _, other := redact.Begin(t.Context()); other == v {
		t.Error("values are shared without a context")
	}
}

// TestStrip removes the values of Secrets only.
func TestStrip(t *testing.T) {
	data := map[string]any{"items": []any{
		map[string]any{
			"apiVersion": "v1", "kind": "Secret", "data": map[string]any{"a": "x"}, "stringData": map[string]any{"a": "x"},
			"metadata": map[string]any{"name": "n", "annotations": map[string]any{"a": "x"}},
		},
		map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "b"}},
	}}
	redact.Strip(data)
	const want = "map[items:[map[apiVersion:v1 kind:Secret metadata:map[name:n]] map[apiVersion:v1 data:map[a:b] kind:ConfigMap]]]"
	if got := fmt.Sprint(data); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzText: the text contains no value of four bytes, unless the placeholder or its
// joints with the rest of the text do.
func FuzzText(f *testing.F) {
	f.Add("password hunter22 is wrong", "hunter22")
	f.Add("https://x/abc?def=12345678", "https://x/abc?def=12345678")
	f.Add("\xff\xfe", "\xff")
	f.Fuzz(func(t *testing.T, text, value string) {
		v := redact.New()
		v.Add(value)
		v.AddSecrets(secret(map[string]any{"v": value}))
		for part := range strings.SplitSeq(v.Text(text), redacted) {
			if strings.Trim(value, "/") != "" && strings.Contains(part, value) {
				t.Errorf("%q contains %q", part, value)
			}
		}
	})
}
