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

package actions_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
)

// startWithLoopback starts an env whose actions can connect to test servers.
func startWithLoopback(t *testing.T) env {
	t.Helper()
	e := start(t)
	e.policy.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	return e
}

func (e env) secret(t *testing.T, name string, data map[string]any) {
	t.Helper()
	e.create(t, "v1", "Secret", name, map[string]any{"stringData": data})
}

// secretRef returns a reference to a key of a Secret.
func secretRef(name, key string) map[string]any {
	return map[string]any{"secretRef": map[string]any{"name": name, "key": key}}
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

// TestHTTPRequest sends the default and custom requests, with values from Secrets.
func TestHTTPRequest(t *testing.T) {
	e := startWithLoopback(t)
	e.secret(t, "api", map[string]any{"token": "hush\n", "password": "open sesame"})
	var got *http.Request
	var body string
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got, body = r, string(b)
	})
	e.mustRun(t, "http-request", map[string]any{"url": server.URL + "/{{.data.metadata.name}}"}, e.event("settings"))
	if got.Method != http.MethodPost || got.URL.Path != "/settings" || got.Header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"kind":"ConfigMap"`) {
		t.Errorf("got %s %s %v: %s", got.Method, got.URL, got.Header, body)
	}
	e.mustRun(t, "http-request", map[string]any{
		"method": "PATCH", "url": server.URL, "body": map[string]any{"a": int64(1)},
		"headers":     map[string]any{"X-A": "b"},
		"headersFrom": map[string]any{"X-Key": map[string]any{"prefix": "Key ", "secretRef": map[string]any{"name": "api"}}},
		"basicAuth":   map[string]any{"username": "me", "password": secretRef("api", "password")},
	}, e.event("settings"))
	user, password, _ := got.BasicAuth()
	if got.Method != http.MethodPatch || body != `{"a":1}` || got.Header.Get("X-A") != "b" || got.Header.Get("X-Key") != "Key hush" || user != "me" || password != "open sesame" {
		t.Errorf("got %s %v: %s", got.Method, got.Header, body)
	}
}

// TestHTTPRequest_DeniedAddress denies loopback and metadata addresses permanently.
func TestHTTPRequest_DeniedAddress(t *testing.T) {
	e := start(t)
	server := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the server received a request") })
	for _, url := range []string{server.URL, "http://169.254.169.254/latest/meta-data"} {
		err := e.run(t, "http-request", map[string]any{"url": url}, e.event("x"))
		if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "denied") {
			t.Errorf("%s: got %v, want a terminal error", url, err)
		}
	}
}

// TestHTTPRequest_Status distinguishes terminal statuses, and returns Retry-After. No
// error contains a value of a Secret.
func TestHTTPRequest_Status(t *testing.T) {
	e := startWithLoopback(t)
	status, requests := 0, 0
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		fmt.Fprintf(w, "no %s for\n%s", r.URL.Path, r.Header.Get("Authorization"))
	})
	e.secret(t, "api", map[string]any{"token": "hush", "url": server.URL + "/services/T0/B0"})
	request := e.action(t, e.Client, "http-request", map[string]any{
		"urlFrom":     secretRef("api", "url"),
		"headersFrom": map[string]any{"Authorization": map[string]any{"secretRef": map[string]any{"name": "api"}}},
	})
	for code, final := range map[int]bool{
		400: true, 405: true, 413: true, 415: true, 422: true, 304: true,
		401: false, 402: false, 403: false, 404: false, 408: false, 409: false, 410: false, 423: false, 425: false, 429: false, 451: false,
		500: false, 501: false, 502: false, 503: false, 504: false, 507: false,
	} {
		status, requests = code, 0
		err := request.Run(t.Context(), e.event("x"))
		if err == nil || action.IsTerminal(err) != final {
			t.Errorf("%d: got %v (terminal: %v)", code, err, action.IsTerminal(err))
			continue
		}
		if requests != 1 {
			t.Errorf("%d: %d requests", code, requests)
		}
		if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "T0/B0") {
			t.Errorf("%d: the error contains a secret: %v", code, err)
		}
		if code != 304 && !strings.HasSuffix(err.Error(), "(body not shown: the request carries a secret)") {
			t.Errorf("%d: the error quotes the response: %v", code, err)
		}
		if seconds, ok := apierrors.SuggestsClientDelay(err); !ok || seconds != 7 {
			t.Errorf("%d: retry after %d s (%v), want 7", code, seconds, ok)
		}
	}
	server.Close()
	if err := request.Run(t.Context(), e.event("x")); err == nil || action.IsTerminal(err) || strings.Contains(err.Error(), "T0/B0") {
		t.Errorf("got %v, want a retriable error without the URL", err)
	}
}

func pemOf(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// TestHTTPRequest_TLS uses the CA of the Secret, and sends no request if the Secret is
// invalid.
func TestHTTPRequest_TLS(t *testing.T) {
	e := startWithLoopback(t)
	var requests atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	e.secret(t, "valid", map[string]any{"ca.crt": pemOf(server)})
	e.secret(t, "no-certificate", map[string]any{"ca.crt": "nonsense"})
	e.secret(t, "no-pair", map[string]any{"ca.crt": pemOf(server), "tls.crt": pemOf(server)})
	e.secret(t, "empty", map[string]any{"other": "x"})
	for secret, want := range map[string]string{
		"valid":          "",
		"":               "certificate",
		"absent":         `secrets "absent" not found`,
		"no-certificate": "ca.crt contains no certificate",
		"no-pair":        "tls.crt and tls.key are not a valid key pair",
		"empty":          "neither ca.crt nor a certificate",
	} {
		requests.Store(0)
		err := e.run(t, "http-request", map[string]any{"url": server.URL, "tlsSecret": secret}, e.event("x"))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", secret, err, want)
		}
		if sent := requests.Load() > 0; sent != (want == "") {
			t.Errorf("%q: %d requests", secret, requests.Load())
		}
	}
}

// TestSendCloudEvent sends an event that the CloudEvents SDK accepts.
func TestSendCloudEvent(t *testing.T) {
	e := startWithLoopback(t)
	e.secret(t, "sink", map[string]any{"token": "hush"})
	var got *cloudevents.Event
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var err error
		if got, err = cloudevents.NewEventFromHTTPRequest(r); err != nil {
			t.Error(err)
		} else if err := got.Validate(); err != nil {
			t.Error(err)
		}
		if r.Header.Get("Authorization") != "Bearer hush" {
			t.Errorf("the token is %q", r.Header.Get("Authorization"))
		}
		w.WriteHeader(http.StatusAccepted)
	})
	ev := e.event("settings")
	ev.ID = "uid@7"
	e.mustRun(t, "send-cloudevent", map[string]any{"url": server.URL, "token": secretRef("sink", "token"), "extensions": map[string]any{"partitionkey": "k"}}, ev)
	var data map[string]any
	if err := got.DataAs(&data); err != nil {
		t.Fatal(err)
	}
	name, _, _ := unstructured.NestedString(data, "metadata", "name")
	if got.ID() != "uid@7" || got.Type() != "dev.oam.trigger.resource-watcher.update" || got.Source() != "/kube-trigger/"+e.namespace+"/live" ||
		got.Subject() != "ConfigMap/"+e.namespace+"/settings" || got.Extensions()["partitionkey"] != "k" || name != "settings" {
		t.Errorf("got %v", got)
	}
}

// TestHTTPRequest_Echo: servers repeat credentials in their responses, which later actions
// send on (jenkinsci/http-request-plugin#22, n8n-io/n8n#25930). The rest is as it was sent.
func TestHTTPRequest_Echo(t *testing.T) {
	e := startWithLoopback(t)
	e.secret(t, "api", map[string]any{"token": "hush-hush-1", "password": "sesame"})
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Token", r.Header.Get("X-Key"))
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, `{"headers": {"X-Key": %q, "Authorization": %q}, "user": %q, "password": %q, "n": 9007199254740993}`,
			r.Header.Get("X-Key"), r.Header.Get("Authorization"), user, password)
	})
	out := egress.NewClient(e.policy)
	defer out.Close()
	result, err := provider.New(provider.Options{Client: e.Client, Namespace: e.namespace, Egress: out}).Execute(t.Context(), provider.Call{
		Provider: "http", Do: "do", Params: map[string]any{"url": server.URL, "request": map[string]any{
			"headerFrom": map[string]any{"X-Key": map[string]any{"name": "api", "key": "token", "prefix": "Key "}},
			"basicAuth":  map[string]any{"username": "me", "passwordFrom": map[string]any{"name": "api", "key": "password"}},
		}},
	})
	text := fmt.Sprint(result)
	if err != nil || strings.Contains(text, "hush-hush") || strings.Contains(text, "sesame") || strings.Contains(text, "c2VzYW1l") || strings.Contains(text, "bWU6") {
		t.Errorf("got %s, %v", text, err)
	}
	if !strings.Contains(text, "9007199254740993") || !strings.Contains(text, "X-Key") {
		t.Errorf("got %s", text)
	}
}

// TestHTTPRequest_Redirect: an event that a redirect would drop is not delivered
// (grafana/grafana#33591), and the error says what to do, without the rest of the address.
func TestHTTPRequest_Redirect(t *testing.T) {
	e := startWithLoopback(t)
	requests := 0
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		if r.URL.Path == "/hook" {
			http.Redirect(w, r, "/login?token=hush-hush", http.StatusMovedPermanently)
		}
	})
	err := e.run(t, "http-request", map[string]any{"url": server.URL + "/hook"}, e.event("x"))
	if err == nil || !action.IsTerminal(err) || requests != 1 || strings.Contains(err.Error(), "hush") ||
		!strings.Contains(err.Error(), "a redirect to "+server.URL+", which would turn POST into GET") {
		t.Errorf("got %v after %d requests", err, requests)
	}
	e.mustRun(t, "http-request", map[string]any{"url": server.URL + "/hook", "method": "GET"}, e.event("x"))
}
