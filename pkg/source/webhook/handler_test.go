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
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/source/webhook"
)

func TestHandler_Status(t *testing.T) {
	w := serve(t, "{auth: none, maxBodyBytes: 100}")
	large := `"` + strings.Repeat("x", 99) + `"`
	for _, tc := range []struct {
		name    string
		status  int
		request request
	}{
		{"accepted", http.StatusAccepted, request{body: `{"a":1}`}},
		{"unknown path", http.StatusNotFound, request{path: "/n/u", body: `{}`}},
		{"below the path", http.StatusNotFound, request{path: "/n/t/u", body: `{}`}},
		{"too large", http.StatusRequestEntityTooLarge, request{body: large}},
		{"invalid JSON", http.StatusBadRequest, request{body: `{"a":`}},
		{"empty", http.StatusAccepted, request{}},
		{"unsupported type", http.StatusUnsupportedMediaType, request{body: `<a/>`, headers: map[string]string{"Content-Type": "application/xml"}}},
		{"batch", http.StatusBadRequest, request{body: `[{}]`, headers: map[string]string{"Content-Type": "application/cloudevents-batch+json"}}},
		{"unclosed", http.StatusBadRequest, request{body: strings.Repeat("[", 99)}},
	} {
		if status, response := w.send(tc.request); status != tc.status {
			t.Errorf("%s: %d, want %d: %s", tc.name, status, tc.status, response)
		}
	}
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 200, "PUT": 202, "DELETE": 405, "PATCH": 405} {
		req, err := http.NewRequestWithContext(t.Context(), method, w.url("/n/t"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := do(t, req); status != want {
			t.Errorf("%s: %d", method, status)
		}
	}
	// Without a Content-Length the bytes are counted.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url("/n/t"), io.MultiReader(strings.NewReader(large)))
	if err != nil {
		t.Fatal(err)
	}
	if status, response := do(t, req); status != http.StatusRequestEntityTooLarge {
		t.Errorf("chunked: %d %s", status, response)
	}
	w.waitForEvents(3)
}

// TestHandler_TruncatedBody rejects requests that are not sent to their end, even if the
// received part is valid JSON.
func TestHandler_TruncatedBody(t *testing.T) {
	w := serve(t, "auth: none")
	for name, head := range map[string]string{
		"length":  "Content-Length: 3\r\n\r\n17",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n2\r\n17\r\n5\r\n",
	} {
		conn, err := net.Dial("tcp", w.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST /n/t HTTP/1.1\r\nHost: x\r\n"+head); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		response, err := io.ReadAll(conn)
		if err != nil || bytes.Contains(response, []byte("202 Accepted")) {
			t.Errorf("%s: %q, %v", name, response, err)
		}
		conn.Close()
	}
	w.expectStatus(http.StatusAccepted, request{body: `1`})
	w.waitForEvents(1)
}

func TestHandler_RateLimit(t *testing.T) {
	w := serve(t, "{auth: none, rateLimit: {perSecond: 0.001, burst: 3}}")
	for range 3 {
		w.expectStatus(http.StatusAccepted, request{body: `{}`})
	}
	w.expectStatus(http.StatusTooManyRequests, request{body: `{}`})
	w.waitForEvents(3)
}

// TestHandler_Failures: requests that fail authentication do not use up the rate limit,
// and are limited by the address of their sender.
func TestHandler_Failures(t *testing.T) {
	for name, tc := range map[string]struct{ properties, header, good string }{
		"signature": {"{type: github, secret: " + secretFile(t, secretValue) + "}", "X-Hub-Signature-256", "sha256=" + hex.EncodeToString(mac(body))},
		"token":     {"{type: token, header: X-Auth, secret: " + secretFile(t, secretValue) + "}", "X-Auth", secretValue},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, "{auth: "+tc.properties+", rateLimit: {perSecond: 0.001, burst: 3}}")
			statuses := map[int]int{}
			for i := range webhook.MaxFailures + 50 {
				bad := request{body: body, headers: map[string]string{}}
				if i%2 == 0 {
					bad.headers[tc.header] = strings.Replace(tc.good, tc.good[len(tc.good)-3:], "aaa", 1)
				}
				status, _ := w.send(bad)
				statuses[status]++
			}
			if statuses[http.StatusUnauthorized] < webhook.MaxFailures || statuses[http.StatusTooManyRequests] == 0 || len(statuses) != 2 {
				t.Errorf("failures: %v", statuses)
			}
			good := request{body: body, headers: map[string]string{tc.header: tc.good}}
			for range 3 {
				w.expectStatus(http.StatusAccepted, good)
			}
			w.expectStatus(http.StatusTooManyRequests, good)
			w.waitForEvents(3)
		})
	}
}

// TestHandler_UnsignedCloudEvent ignores ce-* headers that a signature does not cover,
// unless trustHeaders is set.
func TestHandler_UnsignedCloudEvent(t *testing.T) {
	secret := secretFile(t, secretValue)
	headers := map[string]string{
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac(body)), "X-GitHub-Delivery": "1", "X-GitHub-Event": "push", "Content-Type": "application/json",
		"Ce-Specversion": "1.0", "Ce-Source": "/s", "Ce-Type": "forged", "Ce-Id": "2",
	}
	for properties, want := range map[string]string{
		"auth: {type: github, secret: " + secret + "}":                       "push webhook/n/t/1",
		"{trustHeaders: true, auth: {type: github, secret: " + secret + "}}": "forged webhook/n/t/sha256:",
	} {
		w := serve(t, properties)
		w.expectStatus(http.StatusAccepted, request{body: body, headers: headers})
		ev := w.waitForEvents(1)[0]
		if got := ev.Type + " " + ev.ID; !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", properties, got, want)
		}
	}
}

// TestHandler_AcceptedStatus: some senders take 202 for a failure, and repeat the request
// (keel-hq/keel#827).
func TestHandler_AcceptedStatus(t *testing.T) {
	w := serve(t, "{auth: none, acceptedStatus: 200}")
	w.expectStatus(http.StatusOK, request{body: `{}`})
	w.expectStatus(http.StatusBadRequest, request{body: `{`})
	w.waitForEvents(1)
}

// TestHandler_SlackAnswer: Slack shows an answer that is not 200, and the body of one that is,
// to the user of a command (hjwylde/werewolf-slack#17, ubclaunchpad/rocket2#276).
func TestHandler_SlackAnswer(t *testing.T) {
	w := serve(t, "auth: none")
	command := request{
		body:    "command=%2Fdeploy&text=web&trigger_id=398738663015.47445629121",
		headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": "1531420618", "X-Slack-Signature": "v0=a2114d57"},
	}
	if status, response := w.send(command); status != http.StatusOK || response != "" {
		t.Errorf("%d %q, want 200 without a body", status, response)
	}
	command.body = "%"
	w.expectStatus(http.StatusBadRequest, command)
	w.waitForEvents(1)
}
