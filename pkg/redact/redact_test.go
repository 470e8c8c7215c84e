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
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/url"
	"slices"
	"strconv"
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

// TestPublic leaves out the parts of Secrets that hold values, and replaces values elsewhere,
// except in what identifies objects. The data is not modified.
func TestPublic(t *testing.T) {
	secret := map[string]any{
		"apiVersion": "v1", "kind": "Secret", "data": map[string]any{"a": "aHVudGVyMg==", "ns": "c2hvcA=="}, "stringData": map[string]any{"b": "plain"},
		"metadata": map[string]any{"name": "n", "namespace": "shop", "labels": map[string]any{"copy": "x-hunter2"}, "annotations": map[string]any{"a": "x"}, "managedFields": []any{}},
	}
	data := map[string]any{
		"items":       []any{secret, map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "is hunter2", "b": "plain\x00text"}}},
		"n":           int64(1),
		"compression": map[string]any{"type": "zstd", "data": "KLUv/QBYaQ=="},
		"metadata":    map[string]any{"annotations": map[string]any{"app.oam.dev/last-applied-configuration": "KLUv", "kept": "yes"}},
	}
	before := fmt.Sprint(data)
	const want = "map[compression:map[type:zstd] items:[" +
		"map[apiVersion:v1 kind:Secret metadata:map[labels:map[copy:x-(redacted)] name:n namespace:shop]] " +
		"map[apiVersion:v1 data:map[a:is (redacted) b:(redacted)\x00text] kind:ConfigMap]] " +
		"metadata:map[annotations:map[kept:yes]] n:1]"
	if got := fmt.Sprint(redact.Public(data)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if after := fmt.Sprint(data); after != before {
		t.Errorf("the data was modified: %s", after)
	}
}

// TestPublic_NoSecret returns the data itself if there is no Secret in it.
func TestPublic_NoSecret(t *testing.T) {
	data := map[string]any{"kind": "ConfigMap", "metadata": map[string]any{"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": "{}"}}}
	redact.Public(data)["same"] = true
	if data["same"] != true || redact.Holds(data) {
		t.Error("data without a Secret was copied")
	}
}

// TestHolds finds Secrets at any depth, also within JSON in a text.
func TestHolds(t *testing.T) {
	manifest := `{"apiVersion": "v1", "kind": "Secret"}`
	for name, tc := range map[string]struct {
		data any
		want bool
	}{
		"nested":     {map[string]any{"a": []any{map[string]any{"kind": "Secret"}}}, true},
		"text":       {[]any{" " + manifest}, true},
		"text twice": {map[string]any{"a": `{"b": ` + strconv.Quote(manifest) + `}`}, true},
		"compressed": {map[string]any{"compression": map[string]any{"type": "gzip", "data": "H4sI"}}, true},
		"mentioned":  {map[string]any{"a": "the Secret", "b": `{"c": "Secret"}`, "compression": map[string]any{"type": "none"}}, false},
		"other kind": {map[string]any{"apiVersion": "x.y/v1", "kind": "Secret"}, false},
	} {
		if got := redact.Holds(tc.data); got != tc.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// TestValues_Document keeps JSON valid, and what identifies objects.
func TestValues_Document(t *testing.T) {
	v := redact.New(secret(map[string]any{"flag": "dHJ1ZQ==", "port": "ODA4MA==", "config": base64.StdEncoding.EncodeToString([]byte(`{"metadata":{"name":"x"}}`))}))
	for text, want := range map[string]string{
		`{"metadata":{"name":"true"},"on":true,"port":8080,"big":9007199254740993,"a":"is true","b":["8080 <x>"]}`: `{"a":"is (redacted)","b":["(redacted) <x>"],"big":9007199254740993,"metadata":{"name":"true"},"on":true,"port":8080}`,
		`port 8080 is open`: `port (redacted) is open`,
		`"8080"`:            `"(redacted)"`,
		`{"fine": "yes"}`:   `{"fine": "yes"}`,
	} {
		if got := v.Document(text); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestValues_Twice replaces values that are encoded twice.
func TestValues_Twice(t *testing.T) {
	const value = `p"ss & wörd/+`
	v := redact.New()
	v.Add(value)
	encode := base64.StdEncoding.EncodeToString
	quoted, _ := json.Marshal(value)
	again, _ := json.Marshal(string(quoted))
	for _, text := range []string{
		encode([]byte(encode([]byte(value)))), string(again[3 : len(again)-3]), url.QueryEscape(url.QueryEscape(value)),
		url.QueryEscape(encode([]byte(value))), `p\"ss & w\u00f6rd/+`,
	} {
		if got := v.Text(text); got != redacted {
			t.Errorf("got %s of %s", got, text)
		}
	}
	inner := base64.StdEncoding.EncodeToString([]byte("hunter2"))
	twice := redact.New(secret(map[string]any{"a": base64.StdEncoding.EncodeToString([]byte(inner))}))
	if got := twice.Text("is hunter2"); got != "is "+redacted {
		t.Errorf("got %s", got)
	}
}

// TestValues_Forms replaces values in each encoding, also of a longer text, and what a cut
// has left of them.
func TestValues_Forms(t *testing.T) {
	const value = `c4n&ry"<s3cr3t>/+'\n-0f-Team-A`
	v := redact.New()
	v.Add(value)
	for name, text := range transformations(value) {
		if got := v.Text(text); leaks(got, text) {
			t.Errorf("%s: got %s of %s", name, got, text)
		}
		for _, cut := range []string{text[:10], text[len(text)-10:], text[5:15]} {
			if got := v.Text("cut " + cut); !strings.HasPrefix(got, "cut "+redacted) || leaks(got, text) {
				t.Errorf("%s: got %q of %q", name, got, cut)
			}
		}
	}
	// Other forms contain "user:" in base64 before it.
	for _, text := range []string{
		base64.StdEncoding.EncodeToString([]byte("user:" + value)),
		base64.URLEncoding.EncodeToString([]byte("another user:" + value + ", and more")),
		base64.RawStdEncoding.EncodeToString([]byte(value + "x")),
	} {
		if got := v.Text(text); strings.Count(got, redacted) != 1 || len(got) > len(text)/2+len(redacted) {
			t.Errorf("got %s of %s", got, text)
		}
	}
}

// TestValues_Names keeps names that occur in the annotations of a Secret, and hides what
// kubectl copied there.
func TestValues_Names(t *testing.T) {
	v := redact.New(map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"annotations": map[string]any{
		"kubectl.kubernetes.io/last-applied-configuration": `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"web-token","namespace":"team-alpha"},"stringData":{"t":"correct horse"}}`,
	}}})
	if got, want := v.Text(`secrets "web-token" of team-alpha: Y29ycmVjdCBob3JzZQ==, correct h`), `secrets "web-token" of team-alpha: `+redacted+", "+redacted; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// transformations returns value in several encodings.
func transformations(value string) map[string]string {
	marshalled, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	unquoted := func(text string) string { return text[1 : len(text)-1] }
	return map[string]string{
		"plain": value, "quoted": unquoted(strconv.Quote(value)), "JSON": unquoted(string(marshalled)), "HTML": html.EscapeString(value),
		"query": url.QueryEscape(value), "path": url.PathEscape(value), "hex": hex.EncodeToString([]byte(value)),
		"base64": base64.StdEncoding.EncodeToString([]byte(value)), "base64 for URLs": base64.URLEncoding.EncodeToString([]byte(value)),
		"base64 without padding":  base64.RawStdEncoding.EncodeToString([]byte(value)),
		"base64, second position": base64.RawStdEncoding.EncodeToString([]byte("\x00" + value))[2:],
		"base64, third position":  base64.RawURLEncoding.EncodeToString([]byte("\x00\x00" + value))[3:],
	}
}

// leaks reports whether a part of got contains 8 consecutive bytes of form.
func leaks(got, form string) bool {
	for part := range strings.SplitSeq(got, redacted) {
		for i := 0; i+8 <= len(part); i++ {
			if part[i:i+8] != "https://" && strings.Contains(form, part[i:i+8]) {
				return true
			}
		}
	}
	return false
}

// BenchmarkText: a text of 64 KiB that repeats what a Secret of 1 MiB contains.
func BenchmarkText(b *testing.B) {
	text := strings.Repeat("ab", 32<<10)
	v := redact.New()
	for i := range 16 << 10 {
		v.Add(fmt.Sprintf("%s%08d%s", text[:28], i, text[:28]))
	}
	for b.Loop() {
		v.Text(text)
	}
}

// FuzzText: whatever the form of a value and the cut, the text has no 8 consecutive bytes of
// it, and no shorter value.
func FuzzText(f *testing.F) {
	f.Add("password ", " is wrong", "hunter22", uint8(0), uint16(0))
	f.Add("", "", "https://x/abc?def=12345678", uint8(3), uint16(12))
	f.Add("\xff\xfe", "a", "\xff", uint8(7), uint16(1))
	f.Fuzz(func(t *testing.T, before, after, value string, encoding uint8, cut uint16) {
		v := redact.New()
		v.Add(value)
		v.AddSecrets(secret(map[string]any{"v": value}))
		all := transformations(value)
		name := slices.Sorted(maps.Keys(all))[int(encoding)%len(all)]
		text := before + all[name] + after
		text = text[:max(len(text)-int(cut), 0)]
		for part := range strings.SplitSeq(v.Text(text), redacted) {
			if len(value) < 8 && strings.Trim(value, "/") != "" && strings.Contains(part, value) {
				t.Errorf("%q contains %q", part, value)
			}
		}
		if len(value) < 8 || strings.HasPrefix(value, "http") || strings.Trim(value, "/") == "" {
			return
		}
		if got := v.Text(text); leaks(got, value) || leaks(got, all[name]) {
			t.Errorf("%s: %q contains 8 bytes of %q", name, got, value)
		}
	})
}

// TestValues_Quoted replaces the values of a Secret that a text quotes, also if they
// were not added before.
func TestValues_Quoted(t *testing.T) {
	manifest := `{"apiVersion":"v1","data":{"token":"aHVzaC1odXNoLTEyMzQ1"},"kind":"Secret","metadata":{"name":"api"}}`
	for _, text := range []string{
		fmt.Sprintf(` "" is invalid: patch: Invalid value: %q: cannot convert int64 to string`, manifest),
		fmt.Sprintf(`first %q, then %q`, `{"kind":"ConfigMap"}`, manifest),
	} {
		got := redact.New().Text(text)
		if want := strings.Replace(text, "aHVzaC1odXNoLTEyMzQ1", redacted, 1); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
