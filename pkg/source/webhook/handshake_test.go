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
	"net/http"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/source/webhook"
)

// sendOptions sends OPTIONS and returns the status and the headers of the response.
func (w *worker) sendOptions(path string, headers map[string]string) (int, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodOptions, w.url(path), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode, res.Header
}

// TestHandshake_CloudEvents is the handshake of
// github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md, which Azure Event
// Grid does, too (Azure-Samples/azure-event-grid-viewer#7).
func TestHandshake_CloudEvents(t *testing.T) {
	w := serve(t, "{auth: {type: token, query: token, secret: "+secretFile(t, "x")+"}, rateLimit: {perSecond: 2}}")
	asked := map[string]string{"WebHook-Request-Origin": "eventgrid.azure.net", "WebHook-Request-Rate": "120"}
	if status, header := w.sendOptions("/n/t?token=x", asked); status != http.StatusOK ||
		header.Get("WebHook-Allowed-Origin") != "eventgrid.azure.net" || header.Get("WebHook-Allowed-Rate") != "120" {
		t.Errorf("%d %v", status, header)
	}
	if status, header := w.sendOptions("/n/t", asked); status != http.StatusUnauthorized || header.Get("WebHook-Allowed-Origin") != "" {
		t.Errorf("without the token: %d %v", status, header)
	}
	if status, header := w.sendOptions("/n/t", nil); status != http.StatusOK || header.Get("WebHook-Allowed-Origin") != "" || !strings.Contains(header.Get("Allow"), "POST") {
		t.Errorf("without the origin: %d %v", status, header)
	}
	// What cannot be signed is answered; events are verified.
	signed := serve(t, "auth: {type: github, secret: "+secretFile(t, secretValue)+"}")
	if status, header := signed.sendOptions("/n/t", asked); status != http.StatusOK || header.Get("WebHook-Allowed-Origin") == "" {
		t.Errorf("with a signature: %d %v", status, header)
	}
}

// TestHandshake_EventGrid is the handshake of
// learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema.
func TestHandshake_EventGrid(t *testing.T) {
	w := serve(t, "auth: {type: token, query: token, secret: "+secretFile(t, "x")+"}")
	validation := request{
		query:   "?token=x",
		headers: map[string]string{"Aeg-Event-Type": "SubscriptionValidation", "Content-Type": "application/json"},
		body: `[{"id":"2d1781af","topic":"/subscriptions/1","subject":"","data":{"validationCode":"512d38b6","validationUrl":"https://rp-eastus2.eventgrid.azure.net/x"},` +
			`"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","eventTime":"2022-10-28T04:23:35.1981776Z","metadataVersion":"1","dataVersion":"1"}]`,
	}
	if status, response := w.send(validation); status != http.StatusOK || response != `{"validationResponse":"512d38b6"}`+"\n" {
		t.Errorf("%d %s", status, response)
	}
	validation.query = ""
	w.expectStatus(http.StatusUnauthorized, validation)
	w.waitForEvents(0)
}

// TestHandshake_Slack: Slack's verification is answered with any auth that it passes, and is
// no event.
func TestHandshake_Slack(t *testing.T) {
	w := serve(t, "auth: none")
	if status, response := w.send(request{body: `{"token":"x","challenge":"3eZbrw1a","type":"url_verification"}`}); status != http.StatusOK || response != "3eZbrw1a" {
		t.Errorf("%d %q, want the challenge", status, response)
	}
	// Without a challenge, and with a long one, it is a request like others.
	w.expectStatus(http.StatusAccepted, request{body: `{"type":"url_verification"}`})
	w.expectStatus(http.StatusAccepted, request{body: `{"type":"url_verification","challenge":"` + strings.Repeat("x", 2000) + `"}`})
	w.waitForEvents(2)
}

// TestHandshake_Methods: senders check a URL with GET or HEAD; that is no event and no
// rejection, whatever the auth.
func TestHandshake_Methods(t *testing.T) {
	rejected := make(chan webhook.Rejection, 10)
	w := serve(t, "auth: {type: github, secret: "+secretFile(t, secretValue)+"}", func(w *worker) {
		w.server.OnRejected = func(r webhook.Rejection) { rejected <- r }
	})
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		req, err := http.NewRequestWithContext(t.Context(), method, w.url("/n/t"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := do(t, req); status != http.StatusOK {
			t.Errorf("%s: %d", method, status)
		}
	}
	if n := len(rejected); n != 0 {
		t.Errorf("%d rejections", n)
	}
}
