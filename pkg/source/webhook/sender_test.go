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
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestEvent_Senders sends the requests in testdata/senders.txtar. A request that names its
// delivery is repeated.
func TestEvent_Senders(t *testing.T) {
	a, err := txtar.ParseFile("testdata/senders.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		t.Run(f.Name, func(t *testing.T) {
			sent, want, _ := strings.Cut(string(f.Data), "---\n")
			head, body, _ := strings.Cut(sent, "\n\n")
			lines := strings.Split(head, "\n")
			r := request{body: body, headers: map[string]string{}}
			for _, line := range lines[1:] {
				name, value, _ := strings.Cut(line, ": ")
				r.headers[name] = value
			}
			w := serve(t, lines[0])
			status, _ := w.send(r)
			got, repeatable := fmt.Sprintln(status), true
			for _, ev := range w.waitForEvents(strings.Count(want, "\n") - 1) {
				text := describe(ev)
				got += text + "\n"
				repeatable = repeatable && strings.Contains(text, " ") && !strings.Contains(text, " - ")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if repeatable {
				w.expectStatus(http.StatusOK, r)
			}
		})
	}
}

// describe returns an event's type, its ID ("-" if it is random), the action and the images.
func describe(ev event.Event) string {
	id := strings.TrimPrefix(ev.ID, "webhook/n/t/")
	switch {
	case strings.HasPrefix(id, "sha256:"):
		id = "sha256:"
	case regexp.MustCompile("^[A-Z2-7]{26}$").MatchString(id):
		id = "-"
	}
	parts := []string{ev.Type, id}
	if action, ok := ev.Data["action"].(string); ok {
		parts = append(parts, action)
	}
	images, _ := ev.Data["images"].([]any)
	for _, value := range images {
		i, _ := value.(map[string]any)
		text := fmt.Sprintf("%s/%s", i["registry"], i["repository"])
		if i["tag"] != "" {
			text += fmt.Sprintf(":%s", i["tag"])
		}
		if i["digest"] != "" {
			text += fmt.Sprintf("@%s", i["digest"])
		}
		parts = append(parts, text)
	}
	return strings.TrimSuffix(strings.Join(parts, " "), " -")
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
