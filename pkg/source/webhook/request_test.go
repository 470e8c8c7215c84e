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

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestEvent checks which parts of a request are in its event, and that secrets are not.
func TestEvent(t *testing.T) {
	w := serve(t, "{auth: {type: token, query: pass, secret: "+secretFile(t, "x")+"}, path: /hooks/a}")
	w.expectStatus(http.StatusAccepted, request{
		path: "/hooks/a", query: "?pass=x&a=1&b=2&b=3&api_key=no", body: "name=web&tag=v1",
		headers: map[string]string{
			"Content-Type": "application/x-www-form-urlencoded", "X-Delivery-Id": "7", "X-Other": "yes", "User-Agent": "test",
			"Authorization": "no", "Cookie": "no", "X-Api-Key": "no", "X-Gitlab-Token": "no", "X-Hub-Signature-256": "no",
			"X-Amz-Security-Credential": "no", "X-Session-Id": "no", "Accept-Encoding": "identity",
		},
	})
	got := w.waitForEvents(1)[0]
	want := event.Event{
		Source: "webhook", Type: "request", ID: "webhook/n/t/7", Key: "webhook/n/t/7", Time: got.Time,
		Data: map[string]any{
			"path": "/hooks/a",
			"headers": map[string]any{
				"content-type": "application/x-www-form-urlencoded", "content-length": "15", "x-delivery-id": "7", "x-other": "yes",
				"user-agent": "test", "accept-encoding": "identity", "connection": "close",
			},
			"query": map[string]any{"a": "1", "b": []any{"2", "3"}},
			"body":  map[string]any{"name": "web", "tag": "v1"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEvent_ID: requests without a delivery ID are distinct events; a delivery ID that is
// long or not printable ASCII is still deduplicated.
func TestEvent_ID(t *testing.T) {
	w := serve(t, "auth: none")
	for range 2 {
		w.expectStatus(http.StatusAccepted, request{body: `{}`})
	}
	for _, name := range []string{strings.Repeat("x", 1000), "a b", "ä"} {
		w.expectStatus(http.StatusAccepted, request{body: `{}`, headers: map[string]string{"X-Delivery-Id": name}})
		w.expectStatus(http.StatusOK, request{body: `{}`, headers: map[string]string{"X-Delivery-Id": name}})
	}
	for _, ev := range w.waitForEvents(5) {
		if len(ev.ID) > 200 || strings.ContainsAny(ev.ID, " ä") {
			t.Errorf("ID %q", ev.ID)
		}
	}
}

func TestEvent_CloudEvent(t *testing.T) {
	w := serve(t, "auth: none")
	binary := request{body: `{"n":1}`, headers: map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/s", "Ce-Type": "com.example.made", "Ce-Subject": "u", "Content-Type": "application/json",
	}}
	structured := request{
		body:    `{"specversion":"1.0","id":"1","source":"/s","type":"com.example.made","subject":"u","data":{"n":1}}`,
		headers: map[string]string{"Content-Type": "application/cloudevents+json"},
	}
	w.expectStatus(http.StatusAccepted, binary)
	w.expectStatus(http.StatusOK, structured) // the same event
	structured.body = strings.Replace(structured.body, `"id":"1"`, `"id":"2"`, 1)
	w.expectStatus(http.StatusAccepted, structured)
	for i, ev := range w.waitForEvents(2) {
		if ev.Type != "com.example.made" || ev.Key != "n/t /s u" {
			t.Errorf("event %v", ev)
		}
		attributes, _ := ev.Data["cloudEvent"].(map[string]any)
		if diff := cmp.Diff(map[string]any{"n": int64(1)}, ev.Data["body"]); diff != "" || attributes["id"] != []string{"1", "2"}[i] {
			t.Errorf("%v %s", attributes, diff)
		}
	}
}

// TestEvent_Images receives registry notifications over HTTP, plain and as CloudEvents.
func TestEvent_Images(t *testing.T) {
	const digest = "sha256:954b378c375d852eb3c63ab88978f640b4348b01c1b3456a024a81536dafbbf4"
	data := `"resources":[{"digest":"` + digest + `","tag":"v1","resource_url":"h.example.com/library/web:v1"}],"repository":{"repo_full_name":"library/web"}`
	w := serve(t, "{auth: none, registry: harbor}")
	w.expectStatus(http.StatusAccepted, request{body: `{"type":"PUSH_ARTIFACT","event_data":{` + data + `}}`})
	w.expectStatus(http.StatusAccepted, request{
		body:    `{"specversion":"1.0","id":"1","source":"/projects/1","type":"harbor.artifact.pushed","datacontenttype":"application/json","data":{` + data + `}}`,
		headers: map[string]string{"Content-Type": "application/cloudevents+json"},
	})
	w.expectStatus(http.StatusAccepted, request{body: `{"type":"TEST"}`})
	w.expectStatus(http.StatusBadRequest, request{body: `[]`})
	w.expectStatus(http.StatusBadRequest, request{body: strings.Replace(`{"event_data":{`+data+`}}`, "v1", "v1;reboot", 1)})
	events := w.waitForEvents(3)
	image := map[string]any{"registry": "h.example.com", "repository": "library/web", "tag": "v1", "digest": digest}
	for i, kind := range []string{"PUSH_ARTIFACT", "harbor.artifact.pushed"} {
		ev := events[i]
		if diff := cmp.Diff(image, ev.Data["image"]); diff != "" || ev.Type != kind || ev.Key != "n/t h.example.com/library/web" {
			t.Errorf("%s %s: %s", ev.Type, ev.Key, diff)
		}
	}
	if _, ok := events[2].Data["image"]; ok || events[2].Type != "TEST" {
		t.Errorf("got %v", events[2])
	}
	acr := serve(t, "{auth: none, registry: acr}")
	ping := request{body: `{"id":"p-1","action":"ping"}`}
	acr.expectStatus(http.StatusAccepted, ping)
	acr.expectStatus(http.StatusOK, ping)
	acr.waitForEvents(1)
}

// TestEvent_Semicolons: a semicolon in a form or a query is a part of a value
// (roadrunner-server/roadrunner#1733, dockwa/openpixel#18).
func TestEvent_Semicolons(t *testing.T) {
	w := serve(t, "{auth: {type: token, query: key, secret: "+secretFile(t, "a;b")+"}}")
	w.expectStatus(http.StatusAccepted, request{
		query: "?key=a;b&ua=Mozilla/5.0%20(X11;%20Linux)", body: "text=a;b&c=d",
		headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})
	data := w.waitForEvents(1)[0].Data
	if diff := cmp.Diff(map[string]any{"ua": "Mozilla/5.0 (X11; Linux)"}, data["query"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"text": "a;b", "c": "d"}, data["body"]); diff != "" {
		t.Error(diff)
	}
}
