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

package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	secretValue = "It's a Secret to Everybody"
	body        = `{"ref":"refs/heads/main"}`
)

func mac(text string) []byte {
	m := hmac.New(sha256.New, []byte(secretValue))
	m.Write([]byte(text))
	return m.Sum(nil)
}

// secretFile returns a reference to a file with value.
func secretFile(t *testing.T, value string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "{file: " + path + "}"
}

// TestGitHubsExample: the secret, body and signature that GitHub documents.
func TestGitHubsExample(t *testing.T) {
	w := serve(t, "auth: {type: github, secret: "+secretFile(t, secretValue)+"}")
	w.expectStatus(http.StatusAccepted, call{body: "Hello, World!", headers: map[string]string{
		"Content-Type":        "application/x-www-form-urlencoded",
		"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
	}})
}

// sender is how one kind of sender shows that it may call.
type sender struct {
	properties string
	// headers and query are those of a good call with this delivery and body.
	headers func(delivery, body string) map[string]string
	query   string
	// bad are headers that are no good with any body.
	bad []map[string]string
	// delivery is the header of a delivery's name, kind that of what happened.
	delivery, kind string
}

func senders(t *testing.T) map[string]sender {
	secret := secretFile(t, secretValue)
	wrong := hex.EncodeToString(mac("other"))
	return map[string]sender{
		"github": {
			properties: "auth: {type: github, secret: " + secret + "}",
			headers: func(_, body string) map[string]string {
				return map[string]string{"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac(body))}
			},
			bad: []map[string]string{
				{}, {"X-Hub-Signature-256": "sha256=" + wrong}, {"X-Hub-Signature-256": hex.EncodeToString(mac(body))},
				{"X-Hub-Signature-256": "sha256="}, {"X-Hub-Signature-256": "sha256=xyz"}, {"X-Hub-Signature": "sha256=" + hex.EncodeToString(mac(body))},
			},
			delivery: "X-GitHub-Delivery", kind: "X-GitHub-Event",
		},
		"gitea": {
			properties: "auth: {type: gitea, secret: " + secret + "}",
			headers: func(_, body string) map[string]string {
				return map[string]string{"X-Gitea-Signature": hex.EncodeToString(mac(body))}
			},
			bad:      []map[string]string{{}, {"X-Gitea-Signature": wrong}, {"X-Gitea-Signature": wrong[:10]}},
			delivery: "X-Gitea-Delivery", kind: "X-Gitea-Event",
		},
		"gitlab": {
			properties: "auth: {type: gitlab, secret: " + secret + "}",
			headers:    func(string, string) map[string]string { return map[string]string{"X-Gitlab-Token": secretValue} },
			bad:        []map[string]string{{}, {"X-Gitlab-Token": "x"}, {"X-Gitlab-Token": secretValue + "x"}, {"X-Gitlab-Token": secretValue[1:]}},
			delivery:   "Idempotency-Key", kind: "X-Gitlab-Event",
		},
		"hmac": {
			properties: "auth: {type: hmac, header: X-Sum, algorithm: sha512, encoding: base64, prefix: 'v=', secret: " + secret + "}",
			headers: func(_, body string) map[string]string {
				m := hmac.New(sha512.New, []byte(secretValue))
				m.Write([]byte(body))
				return map[string]string{"X-Sum": "v=" + base64.StdEncoding.EncodeToString(m.Sum(nil))}
			},
			bad:      []map[string]string{{}, {"X-Sum": "v=" + base64.StdEncoding.EncodeToString(mac(body))}, {"X-Sum": "v=%"}},
			delivery: "X-Delivery-Id",
		},
		"token": {
			properties: "auth: {type: token, header: Authorization, secret: " + secret + "}",
			headers:    func(string, string) map[string]string { return map[string]string{"Authorization": secretValue} },
			bad:        []map[string]string{{}, {"Authorization": "x"}, {"Authorization": "Bearer " + secretValue}},
			delivery:   "X-Delivery-Id",
		},
		"token in the query": {
			properties: "auth: {type: token, query: hook, secret: " + secret + "}",
			headers:    func(string, string) map[string]string { return nil },
			query:      "?hook=It%27s+a+Secret+to+Everybody",
			delivery:   "X-Delivery-Id",
		},
		"bearer": {
			properties: "auth: {type: bearer, secret: " + secret + "}\ndeliveryHeader: X-Id",
			headers: func(string, string) map[string]string {
				return map[string]string{"Authorization": "Bearer " + secretValue}
			},
			bad:      []map[string]string{{}, {"Authorization": secretValue}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer"}},
			delivery: "X-Id",
		},
		"standard": {
			properties: "auth: {type: standard, secret: " + secretFile(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte(secretValue))) + "}",
			headers: func(delivery, body string) map[string]string {
				return standard(delivery, time.Now(), body)
			},
			bad: []map[string]string{
				{}, standard("1", time.Now(), "other"), standard("1", time.Now().Add(-6*time.Minute), body), standard("1", time.Now().Add(6*time.Minute), body),
				without(standard("1", time.Now(), body), "Webhook-Id"), without(standard("1", time.Now(), body), "Webhook-Timestamp"),
				without(standard("1", time.Now(), body), "Webhook-Signature"),
			},
			delivery: "Webhook-Id",
		},
	}
}

// standard signs as Standard Webhooks say, among signatures that are not for us.
func standard(id string, at time.Time, body string) map[string]string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := base64.StdEncoding.EncodeToString(mac(id + "." + stamp + "." + body))
	return map[string]string{"Webhook-Id": id, "Webhook-Timestamp": stamp, "Webhook-Signature": "v1a,AAAA v1,AAAA v1," + sum}
}

func without(headers map[string]string, name string) map[string]string {
	delete(headers, name)
	return headers
}

// TestSenders lets in who may call, once for each delivery, and nobody else.
func TestSenders(t *testing.T) {
	for name, s := range senders(t) {
		t.Run(name, func(t *testing.T) {
			w := serve(t, s.properties)
			good := func(delivery string) call {
				headers := map[string]string{s.delivery: delivery, "Content-Type": "application/json"}
				if s.kind != "" {
					headers[s.kind] = "push"
				}
				for k, v := range s.headers(delivery, body) {
					headers[k] = v
				}
				return call{body: body, headers: headers, query: s.query}
			}
			first := good("1")
			w.expectStatus(http.StatusAccepted, first)
			w.expectStatus(http.StatusOK, first)
			for i, headers := range s.bad {
				if status, answer := w.send(call{body: body, headers: headers}); status != http.StatusUnauthorized || answer != "not authorized\n" {
					t.Errorf("bad call %d: status %d, %s", i, status, answer)
				}
			}
			if s.query != "" {
				w.expectStatus(http.StatusUnauthorized, call{body: body, query: "?hook=x"})
				w.expectStatus(http.StatusUnauthorized, call{body: body})
			}
			w.expectStatus(http.StatusAccepted, good("2"))
			events := w.waitForEvents(2)
			if events[0].ID != "webhook/n/t/1" || events[1].ID != "webhook/n/t/2" {
				t.Errorf("events %s, %s", events[0].ID, events[1].ID)
			}
			want := "request"
			if s.kind != "" {
				want = "push"
			}
			if events[0].Type != want {
				t.Errorf("type %s", events[0].Type)
			}
			text := fmt.Sprint(events) + strings.Join(w.lines, "\n")
			for _, hidden := range []string{secretValue, hex.EncodeToString(mac(body)), first.headers["X-Sum"], first.headers["Webhook-Signature"]} {
				if hidden != "" && strings.Contains(text, hidden) {
					t.Errorf("%q is in the events or the log", hidden)
				}
			}
		})
	}
}

// TestNoSecret: where the secret is not there, nobody may call, and callers are
// told to try again.
func TestNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for name, tc := range map[string]struct{ properties, want string }{
		"file":         {"auth: {type: bearer, secret: {file: " + path + "}}", "no such file"},
		"variable":     {"auth: {type: gitlab, secret: {env: NO_SUCH_VARIABLE}}", "environment variable NO_SUCH_VARIABLE: is empty"},
		"cluster":      {"auth: {type: github, secret: {name: hook}}", "key secret of Secret n/hook: no cluster"},
		"token review": {"auth: {type: tokenReview, audiences: [a]}", "no cluster"},
		"not base64":   {"auth: {type: standard, secret: " + secretFile(t, "%") + "}", "is not whsec_ and base64"},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, tc.properties)
			headers := standard("1", time.Now(), body)
			headers["Authorization"], headers["X-Gitlab-Token"] = "Bearer x", "x"
			headers["X-Hub-Signature-256"] = "sha256=" + hex.EncodeToString(mac(body))
			w.expectStatus(http.StatusServiceUnavailable, call{body: body, headers: headers})
			if w.logged(tc.want) == 0 {
				t.Errorf("log: %v", w.lines)
			}
		})
	}
}
