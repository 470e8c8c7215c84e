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

	"github.com/kubevela/kube-trigger/pkg/source/webhook"
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

// secretFile returns the secret property for a file with value.
func secretFile(t *testing.T, value string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "{file: " + path + "}"
}

// TestGitHubAuth_DocumentedExample uses the secret, body and signature of GitHub's
// documentation.
func TestGitHubAuth_DocumentedExample(t *testing.T) {
	w := serve(t, "auth: {type: github, secret: "+secretFile(t, secretValue)+"}")
	w.expectStatus(http.StatusAccepted, request{body: "Hello, World!", headers: map[string]string{
		"Content-Type":        "application/x-www-form-urlencoded",
		"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
	}})
}

// sender authenticates requests with one auth type.
type sender struct {
	properties string
	// headers and query authenticate a request with this delivery ID and body.
	headers func(delivery, body string) map[string]string
	query   string
	// bad lists headers that must be rejected.
	bad []map[string]string
	// deliveryHeader holds the delivery ID, typeHeader the event's type.
	deliveryHeader, typeHeader string
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
				{}, {"X-Hub-Signature-256": "sha256=" + wrong}, {"X-Hub-Signature-256": "sha256=" + wrong + ",sha256=" + wrong}, {"X-Hub-Signature-256": hex.EncodeToString(mac(body))},
				{"X-Hub-Signature-256": "sha256="}, {"X-Hub-Signature-256": "sha256=xyz"}, {"X-Hub-Signature": "sha256=" + hex.EncodeToString(mac(body))},
			},
			deliveryHeader: "X-GitHub-Delivery", typeHeader: "X-GitHub-Event",
		},
		"gitea": {
			properties: "auth: {type: gitea, secret: " + secret + "}",
			headers: func(_, body string) map[string]string {
				return map[string]string{"X-Gitea-Signature": hex.EncodeToString(mac(body))}
			},
			bad:            []map[string]string{{}, {"X-Gitea-Signature": wrong}, {"X-Gitea-Signature": wrong[:10]}},
			deliveryHeader: "X-Gitea-Delivery", typeHeader: "X-Gitea-Event",
		},
		"gitlab": {
			properties:     "auth: {type: gitlab, secret: " + secret + "}",
			headers:        func(string, string) map[string]string { return map[string]string{"X-Gitlab-Token": secretValue} },
			bad:            []map[string]string{{}, {"X-Gitlab-Token": "x"}, {"X-Gitlab-Token": secretValue + "x"}, {"X-Gitlab-Token": secretValue[1:]}},
			deliveryHeader: "Idempotency-Key", typeHeader: "X-Gitlab-Event",
		},
		"bitbucket": {
			properties: "auth: {type: bitbucket, secret: " + secret + "}",
			headers: func(_, body string) map[string]string {
				return map[string]string{"X-Hub-Signature": "sha256=" + hex.EncodeToString(mac(body))}
			},
			bad:            []map[string]string{{}, {"X-Hub-Signature": "sha256=" + wrong}, {"X-Hub-Signature": "sha1=" + wrong}},
			deliveryHeader: "X-Request-UUID", typeHeader: "X-Event-Key",
		},
		"basic": {
			properties: "auth: {type: basic, username: ops, secret: " + secret + "}",
			headers: func(string, string) map[string]string {
				return map[string]string{"Authorization": basic("ops", secretValue)}
			},
			bad:            []map[string]string{{}, {"Authorization": basic("ops", "x")}, {"Authorization": basic("dev", secretValue)}, {"Authorization": "Bearer " + secretValue}, {"Authorization": "Basic %"}},
			deliveryHeader: "X-Delivery-Id",
		},
		"hmac": {
			properties: "auth: {type: hmac, header: X-Sum, algorithm: sha512, encoding: base64, prefix: 'v=', secret: " + secret + "}",
			headers: func(_, body string) map[string]string {
				m := hmac.New(sha512.New, []byte(secretValue))
				m.Write([]byte(body))
				return map[string]string{"X-Sum": "v=" + base64.StdEncoding.EncodeToString(m.Sum(nil))}
			},
			bad:            []map[string]string{{}, {"X-Sum": "v=" + base64.StdEncoding.EncodeToString(mac(body))}, {"X-Sum": "v=%"}},
			deliveryHeader: "X-Delivery-Id",
		},
		"token": {
			properties:     "auth: {type: token, header: Authorization, secret: " + secret + "}",
			headers:        func(string, string) map[string]string { return map[string]string{"Authorization": secretValue} },
			bad:            []map[string]string{{}, {"Authorization": "x"}, {"Authorization": "Bearer " + secretValue}},
			deliveryHeader: "X-Delivery-Id",
		},
		"query token": {
			properties:     "auth: {type: token, query: hook, secret: " + secret + "}",
			headers:        func(string, string) map[string]string { return nil },
			query:          "?hook=It%27s+a+Secret+to+Everybody",
			deliveryHeader: "X-Delivery-Id",
		},
		"bearer": {
			properties: "auth: {type: bearer, secret: " + secret + "}\ndeliveryHeader: X-Id",
			headers: func(string, string) map[string]string {
				return map[string]string{"Authorization": "Bearer " + secretValue}
			},
			bad:            []map[string]string{{}, {"Authorization": secretValue}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer"}},
			deliveryHeader: "X-Id",
		},
		"standard": {
			properties: "auth: {type: standard, secret: " + secretFile(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte(secretValue))) + "}",
			headers: func(delivery, body string) map[string]string {
				return standardHeaders(delivery, time.Now(), body)
			},
			bad: []map[string]string{
				{}, standardHeaders("1", time.Now(), "other"), standardHeaders("1", time.Now().Add(-6*time.Minute), body), standardHeaders("1", time.Now().Add(6*time.Minute), body),
				without(standardHeaders("1", time.Now(), body), "Webhook-Id"), without(standardHeaders("1", time.Now(), body), "Webhook-Timestamp"),
				without(standardHeaders("1", time.Now(), body), "Webhook-Signature"),
			},
			deliveryHeader: "Webhook-Id",
		},
	}
}

// standardHeaders signs as in Standard Webhooks, and adds signatures of other versions
// and keys.
func standardHeaders(id string, timestamp time.Time, body string) map[string]string {
	seconds := strconv.FormatInt(timestamp.Unix(), 10)
	sum := base64.StdEncoding.EncodeToString(mac(id + "." + seconds + "." + body))
	return map[string]string{"Webhook-Id": id, "Webhook-Timestamp": seconds, "Webhook-Signature": "v1a,AAAA v1,AAAA v1," + sum}
}

func without(headers map[string]string, name string) map[string]string {
	delete(headers, name)
	return headers
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// slackHeaders and stripeHeaders sign as these senders do.
func slackHeaders(timestamp time.Time, body string) map[string]string {
	seconds := strconv.FormatInt(timestamp.Unix(), 10)
	return map[string]string{"X-Slack-Request-Timestamp": seconds, "X-Slack-Signature": "v0=" + hex.EncodeToString(mac("v0:"+seconds+":"+body))}
}

func stripeHeaders(timestamp time.Time, body string) map[string]string {
	seconds := strconv.FormatInt(timestamp.Unix(), 10)
	return map[string]string{"Stripe-Signature": "t=" + seconds + ", v1=00, v1=" + hex.EncodeToString(mac(seconds+"."+body)) + ",v0=ff"}
}

// acceptedStatus returns the status of the answer to a new event of a sender.
func acceptedStatus(sender string) int {
	if sender == "slack" {
		return http.StatusOK
	}
	return http.StatusAccepted
}

// TestAuth_Timed: signatures of a timestamp and the body are accepted once, and not after
// their time.
func TestAuth_Timed(t *testing.T) {
	for name, sign := range map[string]func(time.Time, string) map[string]string{"slack": slackHeaders, "stripe": stripeHeaders} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, "auth: {type: "+name+", secret: "+secretFile(t, secretValue)+"}")
			good := request{body: body, headers: sign(time.Now(), body)}
			w.expectStatus(acceptedStatus(name), good)
			w.expectStatus(http.StatusOK, good)
			for _, headers := range []map[string]string{
				{}, sign(time.Now(), "other"), sign(time.Now().Add(-6*time.Minute), body), sign(time.Now().Add(6*time.Minute), body),
				{"X-Slack-Signature": "v0=", "Stripe-Signature": "t=x,v1=00"},
			} {
				w.expectStatus(http.StatusUnauthorized, request{body: body, headers: headers})
			}
			for name := range good.headers {
				if _, ok := w.waitForEvents(1)[0].Data["headers"].(map[string]any)[strings.ToLower(name)]; ok && strings.Contains(name, "Signature") {
					t.Errorf("the event has the header %s", name)
				}
			}
		})
	}
}

// TestAuth_TimedReplay: a captured request is not another delivery because its signature is
// written otherwise, or headers that are not signed are added.
func TestAuth_TimedReplay(t *testing.T) {
	for name, sign := range map[string]func(time.Time, string) map[string]string{"slack": slackHeaders, "stripe": stripeHeaders} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, "auth: {type: "+name+", secret: "+secretFile(t, secretValue)+"}")
			headers := sign(time.Now(), body)
			w.expectStatus(acceptedStatus(name), request{body: body, headers: headers})
			headers["X-GitHub-Delivery"], headers["X-Delivery-Id"], headers["Idempotency-Key"] = "1", "2", "3"
			if signature := headers["X-Slack-Signature"]; signature != "" {
				headers["X-Slack-Signature"] = "v0=" + strings.ToUpper(strings.TrimPrefix(signature, "v0="))
			}
			if signature := headers["Stripe-Signature"]; signature != "" {
				headers["Stripe-Signature"] = signature + ",v1=00"
			}
			for _, contentType := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=iso-8859-1"} {
				headers["Content-Type"] = contentType
				w.expectStatus(http.StatusOK, request{body: body, headers: headers})
			}
			w.waitForEvents(1)
		})
	}
}

// TestAuth_TimedRetry: an event that the sender sends again with a new signature is the same.
// Stripe does so (docs.stripe.com/webhooks#handle-duplicate-events), and Slack.
func TestAuth_TimedRetry(t *testing.T) {
	for name, tc := range map[string]struct {
		sign func(time.Time, string) map[string]string
		body string
	}{
		"slack":  {slackHeaders, `{"type":"event_callback","team_id":"T1","event":{"type":"app_mention"},"event_id":"Ev1"}`},
		"stripe": {stripeHeaders, `{"id":"evt_1","object":"event","data":{"object":{}},"livemode":false,"pending_webhooks":1,"type":"invoice.paid"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, "auth: {type: "+name+", secret: "+secretFile(t, secretValue)+"}")
			w.expectStatus(acceptedStatus(name), request{body: tc.body, headers: tc.sign(time.Now().Add(-time.Minute), tc.body)})
			w.expectStatus(http.StatusOK, request{body: tc.body, headers: tc.sign(time.Now(), tc.body)})
			w.waitForEvents(1)
		})
	}
}

// TestAuth_StripeTests: all tests that are sent from Stripe's dashboard have the same ID, and
// each of them is an event (cloudcreativity/laravel-stripe#2).
func TestAuth_StripeTests(t *testing.T) {
	w := serve(t, "auth: {type: stripe, secret: "+secretFile(t, secretValue)+"}")
	const test = `{"id":"evt_00000000000000","object":"event","data":{"object":{}},"livemode":false,"pending_webhooks":1,"type":"charge.succeeded"}`
	first := request{body: test, headers: stripeHeaders(time.Now().Add(-time.Minute), test)}
	w.expectStatus(http.StatusAccepted, first)
	w.expectStatus(http.StatusAccepted, request{body: test, headers: stripeHeaders(time.Now(), test)})
	w.expectStatus(http.StatusOK, first) // a replay
	w.waitForEvents(2)
}

// TestAuth_SeveralSignatures: PagerDuty sends the signatures with the old and the new key,
// separated by commas (developer.pagerduty.com/docs/verifying-signatures).
func TestAuth_SeveralSignatures(t *testing.T) {
	w := serve(t, "auth: {type: hmac, header: X-PagerDuty-Signature, prefix: 'v1=', secret: "+secretFile(t, secretValue)+"}")
	good, wrong := "v1="+hex.EncodeToString(mac(body)), "v1="+hex.EncodeToString(mac("other"))
	for signatures, status := range map[string]int{
		good: http.StatusAccepted, wrong + "," + good: http.StatusAccepted, good + ", v2=x": http.StatusAccepted,
		wrong: http.StatusUnauthorized, wrong + "," + wrong: http.StatusUnauthorized, "v2=" + good: http.StatusUnauthorized, "v1=": http.StatusUnauthorized,
	} {
		w.expectStatus(status, request{body: body, headers: map[string]string{"X-PagerDuty-Signature": signatures}})
	}
	w.waitForEvents(3)
}

// TestAuth_Svix: Svix signs as Standard Webhooks do, with headers of other names
// (NousResearch/hermes-agent#20518), and some senders show the key with the version of the
// signature (standard-webhooks/standard-webhooks#235).
func TestAuth_Svix(t *testing.T) {
	w := serve(t, "auth: {type: standard, secret: "+secretFile(t, "v1,whsec_"+base64.StdEncoding.EncodeToString([]byte(secretValue)))+"}")
	headers := map[string]string{}
	for name, value := range standardHeaders("msg_1", time.Now(), body) {
		headers[strings.Replace(name, "Webhook", "Svix", 1)] = value
	}
	w.expectStatus(http.StatusAccepted, request{body: body, headers: headers})
	w.expectStatus(http.StatusOK, request{body: body, headers: headers})
	headers["Webhook-Id"] = "msg_2" // not what is signed
	w.expectStatus(http.StatusUnauthorized, request{body: body, headers: headers})
	ev := w.waitForEvents(1)[0]
	if _, ok := ev.Data["headers"].(map[string]any)["svix-signature"]; ok || ev.ID != "webhook/n/t/msg_1" {
		t.Errorf("event %s with headers %v", ev.ID, ev.Data["headers"])
	}
}

// TestAuth_BitbucketPing: Bitbucket Data Center tests the connection with a request that it
// does not sign (runatlantis/atlantis#474). It is answered, and no event.
func TestAuth_BitbucketPing(t *testing.T) {
	w := serve(t, "auth: {type: bitbucket, secret: "+secretFile(t, secretValue)+"}")
	w.expectStatus(http.StatusOK, request{body: `{"test":true}`, headers: map[string]string{"X-Event-Key": "diagnostics:ping", "X-Request-Id": "d872ad25"}})
	w.expectStatus(http.StatusUnauthorized, request{body: `{"test":true}`, headers: map[string]string{"X-Event-Key": "repo:refs_changed"}})
	w.waitForEvents(0)
}

// TestAuth_GitLabSigningToken: GitLab signs as Standard Webhooks do, and states the type in
// its own header (gitlab-org/gitlab!230944).
func TestAuth_GitLabSigningToken(t *testing.T) {
	w := serve(t, "auth: {type: standard, secret: "+secretFile(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte(secretValue)))+"}")
	headers := standardHeaders("f5e57cdd", time.Now(), body)
	headers["X-Gitlab-Event"], headers["Idempotency-Key"], headers["Content-Type"] = "Push Hook", "f5e57cdd", "application/json"
	w.expectStatus(http.StatusAccepted, request{body: body, headers: headers})
	w.expectStatus(http.StatusOK, request{body: body, headers: headers})
	if ev := w.waitForEvents(1)[0]; ev.Type != "Push Hook" || ev.ID != "webhook/n/t/f5e57cdd" {
		t.Errorf("event %s %s", ev.Type, ev.ID)
	}
}

// TestAuth_BasicReason: the reason says which part of the credentials is wrong, and not that
// they are missing.
func TestAuth_BasicReason(t *testing.T) {
	for authorization, want := range map[string]string{
		"":                        "unauthorized: missing token",
		basic("dev", secretValue): "unauthorized: wrong user name",
		basic("ops", "x"):         "unauthorized: wrong token",
	} {
		rejected := make(chan webhook.Rejection, 1)
		w := serve(t, "auth: {type: basic, username: ops, secret: "+secretFile(t, secretValue)+"}", func(w *worker) {
			w.server.OnRejected = func(r webhook.Rejection) { rejected <- r }
		})
		w.expectStatus(http.StatusUnauthorized, request{body: body, headers: map[string]string{"Authorization": authorization}})
		if r := <-rejected; r.Message != want {
			t.Errorf("%q: got %q, want %q", authorization, r.Message, want)
		}
	}
}

// TestAuth_SlackVerification answers Slack's verification of the URL, and emits no event.
func TestAuth_SlackVerification(t *testing.T) {
	w := serve(t, "auth: {type: slack, secret: "+secretFile(t, secretValue)+"}")
	const verification = `{"token":"x","challenge":"3eZbrw1a","type":"url_verification"}`
	if status, response := w.send(request{body: verification, headers: slackHeaders(time.Now(), verification)}); status != http.StatusOK || response != "3eZbrw1a" {
		t.Errorf("%d %q, want the challenge", status, response)
	}
	w.expectStatus(http.StatusUnauthorized, request{body: verification})
	w.expectStatus(http.StatusOK, request{body: body, headers: slackHeaders(time.Now(), body)})
	if n := len(w.waitForEvents(1)); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// TestAuth accepts authenticated requests, once per delivery ID, and rejects others.
// Neither events nor logs hold the secret.
func TestAuth(t *testing.T) {
	for name, s := range senders(t) {
		t.Run(name, func(t *testing.T) {
			w := serve(t, s.properties)
			good := func(delivery string) request {
				headers := map[string]string{s.deliveryHeader: delivery, "Content-Type": "application/json"}
				if s.typeHeader != "" {
					headers[s.typeHeader] = "push"
				}
				for k, v := range s.headers(delivery, body) {
					headers[k] = v
				}
				return request{body: body, headers: headers, query: s.query}
			}
			first := good("1")
			w.expectStatus(http.StatusAccepted, first)
			w.expectStatus(http.StatusOK, first)
			for i, headers := range s.bad {
				if status, response := w.send(request{body: body, headers: headers}); status != http.StatusUnauthorized || response != "not authorized\n" {
					t.Errorf("bad request %d: status %d, %s", i, status, response)
				}
			}
			if s.query != "" {
				w.expectStatus(http.StatusUnauthorized, request{body: body, query: "?hook=x"})
				w.expectStatus(http.StatusUnauthorized, request{body: body})
			}
			w.expectStatus(http.StatusAccepted, good("2"))
			events := w.waitForEvents(2)
			if events[0].ID != "webhook/n/t/1" || events[1].ID != "webhook/n/t/2" {
				t.Errorf("events %s, %s", events[0].ID, events[1].ID)
			}
			want := "request"
			if s.typeHeader != "" {
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

// TestStandardAuth_Replay: a captured request cannot be replayed as another delivery by
// changing headers that are not signed.
func TestStandardAuth_Replay(t *testing.T) {
	w := serve(t, "auth: {type: standard, secret: "+secretFile(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte(secretValue)))+"}")
	captured := request{body: body, headers: standardHeaders("1", time.Now(), body)}
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Source": "/s", "Ce-Type": "t", "Ce-Id": "1", "Content-Type": "application/json",
	} {
		captured.headers[name] = value
	}
	w.expectStatus(http.StatusAccepted, captured)
	for name, value := range map[string]string{"Ce-Id": "2", "Ce-Source": "/other", "X-Delivery-Id": "2", "Idempotency-Key": "2"} {
		captured.headers[name] = value
		w.expectStatus(http.StatusOK, captured)
	}
	w.waitForEvents(1)
}

// TestAuth_SecretUnavailable answers with 503 and logs the reason.
func TestAuth_SecretUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for name, tc := range map[string]struct{ properties, want string }{
		"file":         {"auth: {type: bearer, secret: {file: " + path + "}}", "no such file"},
		"variable":     {"auth: {type: gitlab, secret: {env: NO_SUCH_VARIABLE}}", "environment variable NO_SUCH_VARIABLE: empty value"},
		"cluster":      {"auth: {type: github, secret: {name: hook}}", "key secret of Secret n/hook: no cluster"},
		"token review": {"auth: {type: tokenReview, audiences: [a]}", "no cluster"},
		"empty key":    {"auth: {type: standard, secret: " + secretFile(t, "whsec_") + "}", "empty value"},
		"empty file":   {"auth: {type: gitlab, secret: " + secretFile(t, "\n") + "}", "empty value"},
		"not base64":   {"auth: {type: standard, secret: " + secretFile(t, "%") + "}", `not base64 after \"whsec_\"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, tc.properties)
			headers := standardHeaders("1", time.Now(), body)
			headers["Authorization"], headers["X-Gitlab-Token"] = "Bearer x", "x"
			headers["X-Hub-Signature-256"] = "sha256=" + hex.EncodeToString(mac(body))
			w.expectStatus(http.StatusServiceUnavailable, request{body: body, headers: headers})
			if w.logged(tc.want) == 0 {
				t.Errorf("log: %v", w.lines)
			}
		})
	}
}

// TestAuth_ShortKey warns once about a key that can be guessed.
func TestAuth_ShortKey(t *testing.T) {
	short := secretFile(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte("15 bytes, short")))
	w := serve(t, "auth: {type: standard, secret: "+short+"}")
	for range 3 {
		w.expectStatus(http.StatusUnauthorized, request{body: body, headers: standardHeaders("1", time.Now(), body)})
	}
	if n := w.logged("is short"); n != 1 {
		t.Errorf("%d warnings, want 1: %v", n, w.lines)
	}
}
