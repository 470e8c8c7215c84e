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

package provider_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestTemplates_HTTP sends a second request with the response of the first one.
func TestTemplates_HTTP(t *testing.T) {
	var paths []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.Method+" "+r.URL.Path)
		_, _ = w.Write([]byte("next"))
	}))
	defer server.Close()
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	for name, source := range map[string]string{
		"http": `import "vela/http"
first: http.#HTTPGet & {$params: url: parameter.server + "/first"}
second: http.#HTTPPost & {$params: url: parameter.server + "/" + first.$returns.body}
parameter: server: string`,
		"op": `import "vela/op"
first: op.#HTTPGet & {url: parameter.server + "/first"}
second: op.#HTTPPost & {url: parameter.server + "/" + first.response.body}
parameter: server: string`,
	} {
		paths = nil
		template, diags := action.Parse(name, source)
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		a, diags := template.Compile(action.Options{
			Properties: map[string]any{"server": server.URL},
			Executor:   provider.New(provider.Options{Egress: out}),
		})
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		if _, err := a.Start(nil, nil)(t.Context(), event.Event{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(paths) != 2 || paths[0] != "GET /first" || paths[1] != "POST /next" {
			t.Errorf("%s: %v", name, paths)
		}
	}
}

// TestTemplates_RedactsRequests: requests of a template have no values of a Secret in the
// event, and stay JSON; values that the template reads to authenticate are sent.
func TestTemplates_RedactsRequests(t *testing.T) {
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent = r.URL.RawQuery + " " + r.Header.Get("X-Copy") + " " + string(body)
	}))
	defer server.Close()
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	template, diags := action.Parse("custom", `import "encoding/json"
import "vela/http"
send: http.#HTTPPost & {$params: {
	url: parameter.server + "/?p=" + context.data.data.password
	request: {
		header: "X-Copy": context.data.data.password
		body: json.Marshal({kind: "Secret", data: context.data.data, n: 9007199254740993})
	}
}}
parameter: server: string`)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	a, diags := template.Compile(action.Options{Properties: map[string]any{"server": server.URL}, Executor: provider.New(provider.Options{Egress: out})})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	ev := event.Event{Type: event.Update, Data: map[string]any{"apiVersion": "v1", "kind": "Secret", "data": map[string]any{"password": "aHVudGVyMg=="}}}
	if _, err := a.Start(nil, nil)(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	const want = `p=(redacted) (redacted) {"data":{"password":"(redacted)"},"kind":"Secret","n":9007199254740993}`
	if sent != want || strings.Contains(sent, "hunter2") {
		t.Errorf("sent %s, want %s", sent, want)
	}
}
