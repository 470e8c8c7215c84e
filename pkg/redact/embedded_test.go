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
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/kubevela/kube-trigger/pkg/redact"
)

// compressed returns text as base64 of gzip or zstd.
func compressed(t *testing.T, text string, writer func(io.Writer) io.WriteCloser) string {
	t.Helper()
	var b bytes.Buffer
	w := writer(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func gzipWriter(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func zstdWriter(w io.Writer) io.WriteCloser {
	z, err := zstd.NewWriter(w)
	if err != nil {
		panic(err)
	}
	return z
}

const manifestYAML = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  key: |\n    -----BEGIN KEY-----\n    cqJ3nX\n  password: hunter2\n"

// TestPublic_Texts hides texts with Secrets. People keep manifests in ConfigMaps for other
// tools to apply (kubernetes-sigs/cluster-api#4807), templates of them, releases of Helm
// (helm/helm#2083, helm/helm#6409), and logs what the API server was sent
// (gravitational/teleport#27548).
func TestPublic_Texts(t *testing.T) {
	quoted, _ := json.Marshal(`{"kind":"Secret","data":{"password":"aHVudGVyMg=="}}`)
	release, _ := json.Marshal(map[string]any{"name": "db", "manifest": "---\n" + manifestYAML, "config": map[string]any{"key": "hunter2"}})
	for name, text := range map[string]string{
		"YAML":             manifestYAML,
		"several":          "# all\n---\nkind: Deployment\n---\n" + manifestYAML,
		"list":             "apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  data: {password: aHVudGVyMg==}\n",
		"list of one kind": "kind: SecretList\nitems:\n- data: {password: aHVudGVyMg==}\n",
		"template":         "kind: Secret\ndata:\n{{- range .Values.x }}\n  password: hunter2\n{{- end }}\n",
		"JSON lines":       `{"kind":"ConfigMap"}` + "\n" + `{"kind":"Secret","stringData":{"password":"hunter2"}}`,
		"log":              `request.go:1171] Request Body: {"kind":"Secret","stringData":{"password":"hunter2"}}`,
		"quoted log":       "level=info body=" + string(quoted),
		"YAML in YAML":     "kind: ConfigMap\ndata:\n  secret.yaml: |\n    kind: Secret\n    stringData: {password: hunter2}\n",
		"Helm":             compressed(t, string(release), gzipWriter),
		"Helm twice":       base64.StdEncoding.EncodeToString([]byte(compressed(t, string(release), gzipWriter))),
		"zstd":             compressed(t, string(release), zstdWriter),
		"too large":        compressed(t, strings.Repeat("x", 17<<20), gzipWriter),
	} {
		data := map[string]any{"kind": "ConfigMap", "data": map[string]any{"text": text, "other": "is fine"}}
		if !redact.Holds(data) {
			t.Errorf("%s: not found", name)
		}
		if got, want := fmt.Sprint(redact.Public(data)), "map[data:map[other:is fine text:(redacted)] kind:ConfigMap]"; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		body, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		if got := redact.New(data).Document(string(body)); strings.Contains(got, "hunter2") || strings.Contains(got, "cqJ3nX") || !json.Valid([]byte(got)) {
			t.Errorf("%s: sent %s", name, got)
		}
	}
}

// TestPublic_OtherTexts keeps texts without values of Secrets.
func TestPublic_OtherTexts(t *testing.T) {
	for name, text := range map[string]string{
		"reference":      "kind: HelmRelease\nspec:\n  valuesFrom:\n  - kind: Secret\n    name: db\n",
		"other kind":     "kind: SecretStore\nspec:\n  data: {}\n",
		"other group":    "apiVersion: example.com/v1\nkind: Secret\ndata: {a: b}\n",
		"prose":          "Use kind: Secret for this: it is safer",
		"compressed":     compressed(t, "dashboard", gzipWriter),
		"not compressed": "H4sI is how base64 of gzip begins",
	} {
		data := map[string]any{"kind": "ConfigMap", "data": map[string]any{"text": text}}
		if got := fmt.Sprint(redact.Public(data)); got != fmt.Sprint(data) || redact.Holds(data) {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// TestHolds_Nested ends for texts within texts, and hides what is too deep.
func TestHolds_Nested(t *testing.T) {
	text := manifestYAML
	for range 20 {
		text = "kind: Secret\nspec:\n  inner: |\n    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n"
	}
	if got := redact.Public(map[string]any{"a": text})["a"]; got != redacted {
		t.Errorf("got %.99s…", got)
	}
}

// TestValues_Composite replaces the credentials in values that consist of several: a
// configuration of Docker has them in base64 (spotify/docker-maven-plugin#245,
// openshift/builder#200), URLs of databases escape them (hashicorp/vault#14744,
// malloydata/publisher#915), connection strings and files have them between other fields
// (instana/nodejs#615, MapServer/MapServer#6784).
func TestValues_Composite(t *testing.T) {
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	key, _ := json.Marshal(map[string]any{"type": "service_account", "private_key": "line one\nline & two", "client_id": "1"})
	for value, leaked := range map[string]string{
		`{"auths":{"https://index.docker.io/v1/":{"auth":"` + encode("me:hunter2") + `"}}}`: "hunter2",
		`{"auths":{"r.example":{"username":"me","password":"hunter2","email":"a@b"}}}`:      "hunter2",
		"postgres://app:p%40ss%2Fw@db:5432/app?sslmode=disable":                             "p@ss/w",
		"redis://:hunter2@cache:6379/0":                                                     "hunter2",
		"Server=db;Database=app;Uid=sa;Pwd=hunter2;":                                        "hunter2",
		"host=db user=app password=hunter2 dbname=app":                                      "hunter2",
		"DB_HOST=db\nDB_PASSWORD='hunter2'\nDEBUG=1\n":                                      "hunter2",
		"spring.datasource.password: hunter2":                                               "hunter2",
		"admin:hunter2":                                                                     "hunter2",
		string(key):                                                                         "line one\nline & two",
		encode(`{"a":{"token":"abc\u00264567"}}`):                                           "abc&4567",
	} {
		v := redact.New(secret(map[string]any{"v": encode(value)}))
		for _, text := range []string{leaked, encode(leaked)} {
			if got := v.Text("wrong credentials <" + text + ">"); got != "wrong credentials <(redacted)>" {
				t.Errorf("%s: got %s", value, got)
			}
		}
	}
	v := redact.New(secret(map[string]any{"config": encode("level: info\nport: 8080\npassword: hunter2\n"), "address": encode("db:5432")}))
	const fine = "level info, port 8080, db at 5432"
	if got := v.Text(fine); got != fine {
		t.Errorf("got %s, want %s", got, fine)
	}
}
