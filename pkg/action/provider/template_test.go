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
	"net/http"
	"net/http/httptest"
	"net/netip"
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
