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
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
)

// TestEvent_Senders: what well-known senders say of an event in their headers is its type,
// its delivery and its data, whatever the auth.
func TestEvent_Senders(t *testing.T) {
	for name, tc := range map[string]struct {
		headers       map[string]string
		body          string
		eventType, id string
	}{
		// https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/
		"Bitbucket Cloud": {map[string]string{"X-Event-Key": "repo:push", "X-Request-UUID": "b1", "X-Hook-UUID": "h"}, `{"push":{}}`, "repo:push", "b1"},
		// https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
		"Bitbucket Data Center": {map[string]string{"X-Event-Key": "pr:merged", "X-Request-Id": "b2"}, `{"eventKey":"pr:merged"}`, "pr:merged", "b2"},
		// https://docs.aws.amazon.com/sns/latest/dg/http-header.html
		"SNS": {map[string]string{"Content-Type": "text/plain; charset=UTF-8", "X-Amz-Sns-Message-Type": "Notification", "X-Amz-Sns-Message-Id": "s1"},
			`{"Type":"Notification","Message":"{}"}`, "Notification", "s1"},
		// https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
		"Sentry": {map[string]string{"Sentry-Hook-Resource": "issue", "Request-Id": "y1", "Sentry-Hook-Signature": "x"}, `{"action":"created"}`, "issue", "y1"},
		// https://help.sonatype.com/en/working-with-webhooks.html
		"Nexus": {map[string]string{"X-Nexus-Webhook-Id": "rm:repository:component", "X-Nexus-Webhook-Delivery": "n1"}, `{"action":"CREATED"}`, "rm:repository:component", "n1"},
		// https://docs.github.com/en/webhooks/webhook-events-and-payloads
		"GitHub as a form": {map[string]string{"Content-Type": "application/x-www-form-urlencoded", "X-GitHub-Event": "ping", "X-GitHub-Delivery": "g1"},
			"payload=%7B%22zen%22%3A%22x%22%7D", "ping", "g1"},
		"Alertmanager": {map[string]string{"User-Agent": "Alertmanager/0.27"}, `{"version":"4","status":"firing","alerts":[]}`, "request", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, "auth: none")
			w.expectStatus(http.StatusAccepted, request{body: tc.body, headers: tc.headers})
			ev := w.waitForEvents(1)[0]
			if ev.Type != tc.eventType || tc.id != "" && ev.ID != "webhook/n/t/"+tc.id {
				t.Errorf("type %s, ID %s, want %s and %s", ev.Type, ev.ID, tc.eventType, tc.id)
			}
			if _, ok := ev.Data["body"].(map[string]any); !ok {
				t.Errorf("body %v, want an object", ev.Data["body"])
			}
			if tc.id != "" {
				w.expectStatus(http.StatusOK, request{body: tc.body, headers: tc.headers})
			}
		})
	}
}

// TestEvent_Names: headers and parameters are left out if their names say that they hold
// secrets, and not because a word like key or author is in them.
func TestEvent_Names(t *testing.T) {
	kept := []string{"X-Event-Key", "X-Idempotency-Key", "X-Author", "X-Authority", "X-Partition-Key", "X-Tokenizer", "X-Keyboard", "X-Object-Key", "X-Secretary"}
	dropped := []string{
		"X-Api-Key", "Ocp-Apim-Subscription-Key", "X-Functions-Key", "Authorization", "Proxy-Authorization", "Cookie", "X-Auth-Token", "X-Vault-Token",
		"X-Secret", "X-Hub-Signature", "X-Amz-Security-Token", "X-Password", "X-Session-Id", "X-Jwt-Assertion", "Apikey", "X-JFrog-Event-Auth", "X-Private-Key",
	}
	headers := map[string]string{"Content-Type": "application/json"}
	for _, name := range append(append([]string{}, kept...), dropped...) {
		headers[name] = "value"
	}
	w := serve(t, "auth: none")
	w.expectStatus(http.StatusAccepted, request{body: "{}", headers: headers, query: "?event_key=1&eventKey=2&apiKey=3&api_key=4&accessToken=5&author=6"})
	data := w.waitForEvents(1)[0].Data
	got, _ := data["headers"].(map[string]any)
	for _, name := range kept {
		if _, ok := got[strings.ToLower(name)]; !ok {
			t.Errorf("header %s is missing", name)
		}
	}
	for _, name := range dropped {
		if _, ok := got[strings.ToLower(name)]; ok {
			t.Errorf("header %s is in the event", name)
		}
	}
	query, _ := data["query"].(map[string]any)
	if len(query) != 3 || query["event_key"] != "1" || query["eventKey"] != "2" || query["author"] != "6" {
		t.Errorf("query %v", query)
	}
}

// TestHandler_Compressed takes compressed bodies, within the limit on the size.
func TestHandler_Compressed(t *testing.T) {
	zip := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(text)) // a bytes.Buffer returns no errors
		_ = z.Close()
		return b.String()
	}
	headers := map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"}
	w := serve(t, "auth: none")
	w.expectStatus(http.StatusAccepted, request{body: zip(`{"name":"zipped"}`), headers: headers})
	w.expectStatus(http.StatusRequestEntityTooLarge, request{body: zip(`{"name":"` + strings.Repeat("0", 64<<20) + `"}`), headers: headers})
	w.expectStatus(http.StatusUnsupportedMediaType, request{body: "x", headers: map[string]string{"Content-Encoding": "br"}})
	if body, _ := w.waitForEvents(1)[0].Data["body"].(map[string]any); body["name"] != "zipped" {
		t.Errorf("body %v", body)
	}
}

// TestHandler_RejectedLog logs a rejected request once per sender, status and minute.
func TestHandler_RejectedLog(t *testing.T) {
	w := serve(t, "{auth: none, registry: harbor}")
	for range 3 {
		w.expectStatus(http.StatusBadRequest, request{body: "{"})
	}
	w.expectStatus(http.StatusUnsupportedMediaType, request{body: "<a/>", headers: map[string]string{"Content-Type": "application/xml"}})
	if n := w.logged(`"level"=0 "msg"="Request rejected"`); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
	// https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/
	w.expectStatus(http.StatusAccepted, request{body: `{"type":"QUOTA_EXCEED","event_data":{"resources":[{"tag":"v9","digest":"sha256:457f4aa83fc9a6663ab9d1b0a6e2dce25a12a943ed5bf2c1747c58d48bbb4917"}],"repository":{"repo_full_name":"shop/web"}}}`})
	w.expectStatus(http.StatusAccepted, request{body: `{"type":"REPLICATION","event_data":{"replication":{"job_status":"Success"}}}`})
	if ev := w.waitForEvents(2); ev[0].Type != "QUOTA_EXCEED" || ev[1].Type != "REPLICATION" {
		t.Errorf("types %s, %s", ev[0].Type, ev[1].Type)
	}
}
