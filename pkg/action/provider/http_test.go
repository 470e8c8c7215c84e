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
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// execute executes a call without a cluster.
func execute(t *testing.T, clock *clocktesting.FakePassiveClock, call Call) (Result, error) {
	t.Helper()
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	return New(Options{Egress: out, Clock: clock}).Execute(t.Context(), call)
}

func newClock() *clocktesting.FakePassiveClock {
	return clocktesting.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

// TestHTTP_Returns returns responses of any status in the shapes of vela/http and
// vela/op.
func TestHTTP_Returns(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Many"] = []string{"a", "b"}
		w.Header().Set("Trailer", "X-After")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("short and " + r.Method))
		w.Header().Set("X-After", "c")
	}))
	defer server.Close()
	params := map[string]any{"url": server.URL}
	current, err := execute(t, newClock(), Call{Provider: "http", Do: "do", Params: params})
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := execute(t, newClock(), Call{Provider: "op", Do: "do", Params: params})
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []any{current["$returns"], legacy["response"]} {
		a := answer.(map[string]any)
		many := a["header"].(map[string]any)["X-Many"].([]any)
		after := a["trailer"].(map[string]any)["X-After"].([]any)
		if a["statusCode"] != int64(418) || a["body"] != "short and GET" || len(many) != 2 || after[0] != "c" {
			t.Errorf("got %v", a)
		}
	}
}

// TestHTTP_Causes sends the causes of a request as a header, and as an attribute of a
// CloudEvent in structured and in binary mode.
func TestHTTP_Causes(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	send := func(causes string, request map[string]any) {
		t.Helper()
		e := New(Options{Egress: out, Causes: func(context.Context) string { return causes }})
		if _, err := e.Execute(t.Context(), Call{Provider: "http", Do: "do", Params: map[string]any{"url": server.URL, "method": "POST", "request": request}}); err != nil {
			t.Fatal(err)
		}
	}
	structured := map[string]any{"body": `{"specversion":"1.0","n":9007199254740993,"data":{"kubetriggercauses":"a=1"}}`, "header": map[string]any{"Content-Type": "application/cloudevents+json; charset=utf-8"}}
	send("a=2", structured)
	if got.Header.Get(event.CausesHeader) != "a=2" || string(body) != `{"kubetriggercauses":"a=2","specversion":"1.0","n":9007199254740993,"data":{"kubetriggercauses":"a=1"}}` {
		t.Errorf("header %v, body %s", got.Header, body)
	}
	send("", structured)
	if _, ok := got.Header[event.CausesHeader]; ok || string(body) != structured["body"] {
		t.Errorf("without causes: header %v, body %s", got.Header, body)
	}
	send("a=2", map[string]any{"body": "{}", "header": map[string]any{"ce-id": "1", "ce-specversion": "1.0"}})
	if got.Header.Get("Ce-Kubetriggercauses") != "a=2" || string(body) != "{}" {
		t.Errorf("binary: header %v, body %s", got.Header, body)
	}
	send("a=2", map[string]any{"body": `{"specversion":"x"}`})
	if string(body) != `{"specversion":"x"}` || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("no CloudEvent: header %v, body %s", got.Header, body)
	}
}

// TestHTTP_InvalidParams returns a ParamError with the path of the invalid parameter.
func TestHTTP_InvalidParams(t *testing.T) {
	for name, params := range map[string]map[string]any{
		"url":                     {"url": "example.com/x"},
		"urlFrom":                 {"urlFrom": map[string]any{"name": "s"}},
		"method":                  {"url": "http://127.0.0.1:1", "method": "A B"},
		"request.timeout":         {"url": "http://127.0.0.1:1", "request": map[string]any{"timeout": "soon"}},
		"request.ratelimiter":     {"url": "http://127.0.0.1:1", "request": map[string]any{"ratelimiter": map[string]any{"limit": int64(1)}}},
		"request.header":          {"url": "http://127.0.0.1:1", "request": map[string]any{"header": map[string]any{"A": int64(1)}}},
		"tls_config.namespace":    {"url": "http://127.0.0.1:1", "tls_config": map[string]any{"secret": "s", "namespace": "kube-system"}},
		"sign.secretFrom":         {"url": "http://127.0.0.1:1", "sign": map[string]any{"as": "lark"}},
		"request.headerFrom.X-Ab": {"url": "http://127.0.0.1:1", "request": map[string]any{"headerFrom": map[string]any{"X-Ab": "plain"}}},
	} {
		_, err := execute(t, newClock(), Call{Provider: "http", Do: "do", Params: params})
		var invalid *ParamError
		if !errors.As(err, &invalid) || invalid.Path != name {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestHTTP_Timeout applies the timeout of the request and the deadline of the context.
func TestHTTP_Timeout(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	params := map[string]any{"url": server.URL, "keepGoing": true, "request": map[string]any{"timeout": "20ms"}}
	result, err := execute(t, newClock(), Call{Provider: "http", Do: "do", Params: params})
	if err != nil || !HasFailed(result) {
		t.Errorf("got %v, %v, want a result with a failure", result, err)
	}
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	params["request"] = map[string]any{"timeout": "1h"}
	if _, err := New(Options{Egress: out}).Execute(ctx, Call{Provider: "http", Do: "do", Params: params}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline", err)
	}
}

// TestHTTP_RateLimit limits requests for each URL.
func TestHTTP_RateLimit(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	e := New(Options{Egress: out})
	limit := map[string]any{"ratelimiter": map[string]any{"limit": int64(2), "period": "1h"}}
	for i, path := range []string{"/a", "/a", "/a", "/b"} {
		_, err := e.Execute(t.Context(), Call{Provider: "http", Do: "do", Params: map[string]any{"url": server.URL + path, "request": limit}})
		if (err != nil) != (i == 2) {
			t.Errorf("request %d: %v", i, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := newClock().Now()
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "0": 0, "soon": 0, "99999999999": maxRetryAfter * time.Second,
		"Thu, 01 Jan 2026 00:01:00 GMT": time.Minute, "Wed, 31 Dec 2025 00:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if s := (&StatusError{Code: 503, RetryAfter: 1500 * time.Millisecond}).Status(); s.Details.RetryAfterSeconds != 2 {
		t.Errorf("%d s, want 2", s.Details.RetryAfterSeconds)
	}
}

// TestRequestedDelay: servers send fractions of seconds (getsentry/sentry#7919, wojtekmach/req#507,
// microsoft/dotnet#955), and Telegram sends the delay in the body alone (tdlib/telegram-bot-api#184,
// hdghg/cjbot#13), so that five retries within a minute are too early.
func TestRequestedDelay(t *testing.T) {
	for _, tc := range []struct {
		status       int
		header, body string
		want         time.Duration
	}{
		{429, "292.052427053", "", 293 * time.Second},
		{503, "2.0", "", 2 * time.Second},
		{429, "0.376", "", time.Second},
		{429, "inf", "", 0},
		{429, "NaN", "", 0},
		{429, "", `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 2282","parameters":{"retry_after":2282}}`, 2282 * time.Second},
		{429, "", `{"message":"You are being rate limited.","retry_after":0.376,"global":false}`, time.Second},
		{429, "7", `{"retry_after":9000}`, 7 * time.Second},
		{429, "", `{"retry_after":"soon"}`, 0},
		{429, "", `{"retry_after":-1}`, 0},
		{500, "", `{"retry_after":9}`, 0},
	} {
		response := &egress.Response{Status: tc.status, Header: http.Header{"Retry-After": {tc.header}}, Body: []byte(tc.body)}
		if got := requestedDelay(response, newClock().Now()); got != tc.want {
			t.Errorf("%q, %s: got %s, want %s", tc.header, tc.body, got, tc.want)
		}
	}
}

// FuzzResponse parses arbitrary response bodies and Retry-After headers.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"errcode": 0}`), "7")
	f.Add([]byte(`{"errcode": {"a": []}, "errmsg": "x\u0000"}`), "Thu, 01 Jan 2026 00:01:00 GMT")
	f.Add([]byte("\xff\xfe<html>\r\n"), "1e9")
	f.Fuzz(func(t *testing.T, body []byte, after string) {
		line := excerpt(t.Context(), string(body))
		if !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n\x00\x1b") || len(line) > maxExcerpt {
			t.Errorf("excerpt %q", line)
		}
		if d := retryAfter(after, newClock().Now()); d < 0 {
			t.Errorf("retry after %v", d)
		}
		accept := map[string]any{"field": "errcode", "in": []any{int64(0)}, "message": "errmsg"}
		if err := checkAccepted(t.Context(), "POST https://example.com", accept, body, false); err != nil && strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("got %q", err)
		}
	})
}
