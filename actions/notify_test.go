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
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/action"
)

// chat simulates a chat service by its API documentation.
type chat struct {
	action     string
	properties map[string]any
	// path is the path of the webhook's URL, which is stored in a Secret.
	path string
	// answer returns the response status and body, and the text of the message.
	answer func(r *http.Request, body map[string]any) (status int, answer, text string)
}

func nestedText(m map[string]any, path ...string) string {
	for _, key := range path[:len(path)-1] {
		m, _ = m[key].(map[string]any)
	}
	s, _ := m[path[len(path)-1]].(string)
	return s
}

// isRecent reports whether a timestamp is within one hour of the current time.
func isRecent(timestamp string, unit time.Duration) bool {
	n, err := strconv.ParseInt(timestamp, 10, 64)
	return err == nil && time.Since(time.Unix(0, n*int64(unit))).Abs() < time.Hour
}

func mac(key, message string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(message))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

const signingSecret = "SEC+/=&hush-hush"

var chats = []chat{
	{"notify-slack", nil, "/services/T0/B0/hush-hush", func(_ *http.Request, body map[string]any) (int, string, string) {
		if nestedText(body, "text") == "" {
			return 400, "no_text", ""
		}
		return 200, "ok", nestedText(body, "text")
	}},
	{"notify-discord", nil, "/api/webhooks/1/hush-hush", func(_ *http.Request, body map[string]any) (int, string, string) {
		if n := len([]rune(nestedText(body, "content"))); n == 0 || n > 2000 {
			return 400, `{"code": 50006, "message": "Cannot send an empty message"}`, ""
		}
		return 204, "", nestedText(body, "content")
	}},
	{"notify-teams", nil, "/workflows/hush-hush?sig=hush-hush", func(_ *http.Request, body map[string]any) (int, string, string) {
		attachments, _ := body["attachments"].([]any)
		if len(attachments) != 1 || body["type"] != "message" {
			return 400, `{"error": {"code": "InvalidRequestContent"}}`, ""
		}
		a := attachments[0].(map[string]any)
		card := a["content"].(map[string]any)
		if a["contentType"] != "application/vnd.microsoft.card.adaptive" || card["type"] != "AdaptiveCard" {
			return 400, `{"error": {"code": "InvalidRequestContent"}}`, ""
		}
		return 202, "", nestedText(card["body"].([]any)[1].(map[string]any), "text")
	}},
	{"notify-wecom", nil, "/cgi-bin/webhook/send?key=hush-hush", func(r *http.Request, body map[string]any) (int, string, string) {
		if r.URL.Query().Get("key") != "hush-hush" {
			return 200, `{"errcode": 93000, "errmsg": "invalid webhook url"}`, ""
		}
		return 200, `{"errcode": 0, "errmsg": "ok"}`, nestedText(body, "text", "content")
	}},
	{"notify-dingtalk", map[string]any{"secret": secretRef("chat", "seal")}, "/robot/send?access_token=hush-hush", func(r *http.Request, body map[string]any) (int, string, string) {
		q := r.URL.Query()
		timestamp := q.Get("timestamp")
		if q.Get("access_token") != "hush-hush" || !isRecent(timestamp, time.Millisecond) || q.Get("sign") != mac(signingSecret, timestamp+"\n"+signingSecret) {
			return 200, `{"errcode": 310000, "errmsg": "sign not match"}`, ""
		}
		return 200, `{"errcode": 0, "errmsg": "ok"}`, nestedText(body, "text", "content")
	}},
	{"notify-lark", map[string]any{"secret": secretRef("chat", "seal")}, "/open-apis/bot/v2/hook/hush-hush", func(_ *http.Request, body map[string]any) (int, string, string) {
		timestamp := nestedText(body, "timestamp")
		if !isRecent(timestamp, time.Second) || nestedText(body, "sign") != mac(timestamp+"\n"+signingSecret, "") {
			return 200, `{"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}`, ""
		}
		return 200, `{"code": 0, "msg": "success", "data": {}}`, nestedText(body, "content", "text")
	}},
	{"notify-telegram", map[string]any{"chat": int64(-100123)}, "/bot1:hush-hush/sendMessage", func(_ *http.Request, body map[string]any) (int, string, string) {
		if body["chat_id"] != float64(-100123) {
			return 400, `{"ok": false, "error_code": 400, "description": "Bad Request: chat not found"}`, ""
		}
		return 200, `{"ok": true, "result": {}}`, nestedText(body, "text")
	}},
}

// TestNotify_Services sends a message to each service, and classifies its errors.
func TestNotify_Services(t *testing.T) {
	e := startWithLoopback(t)
	for _, c := range chats {
		t.Run(c.action, func(t *testing.T) {
			var shown string
			var override func() (int, string)
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				var body map[string]any
				if err := json.Unmarshal(b, &body); err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
					t.Errorf("got %s %s (%v)", r.Method, b, err)
				}
				if path, _, _ := strings.Cut(c.path, "?"); r.URL.Path != path {
					t.Errorf("path is %s", r.URL.Path)
				}
				status, answer, text := c.answer(r, body)
				if override != nil {
					status, answer = override()
				}
				shown = text
				w.WriteHeader(status)
				fmt.Fprint(w, answer)
			})
			name := strings.TrimPrefix(c.action, "notify-")
			e.secret(t, name, map[string]any{"url": server.URL + c.path, "seal": signingSecret, "token": "1:hush-hush"})
			properties := map[string]any{"url": secretRef(name, "url")}
			if c.action == "notify-telegram" {
				properties = map[string]any{"token": secretRef(name, "token"), "server": server.URL}
			}
			for k, v := range c.properties {
				if k == "secret" {
					v = secretRef(name, "seal")
				}
				properties[k] = v
			}
			send := e.action(t, e.Client, c.action, properties)
			if err := send.Run(t.Context(), e.event("settings")); err != nil {
				t.Fatal(err)
			}
			if want := "ConfigMap " + e.namespace + "/settings was changed"; !strings.HasPrefix(shown, want) {
				t.Errorf("message is %q, want %q", shown, want)
			}
			override = func() (int, string) { return http.StatusTooManyRequests, "slower" }
			if err := send.Run(t.Context(), e.event("settings")); err == nil || action.IsTerminal(err) || strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("got %v, want a retriable error", err)
			}
			override = func() (int, string) {
				return http.StatusNotFound, `{"errcode": 404, "code": 404, "errmsg": "no 1:hush-hush", "msg": "no 1:hush-hush"}`
			}
			if err := send.Run(t.Context(), e.event("settings")); err == nil || action.IsTerminal(err) || strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("got %v, want a retriable error", err)
			}
		})
	}
}

// TestNotify_ErrorCodes classifies the error codes of responses with status 200.
func TestNotify_ErrorCodes(t *testing.T) {
	e := startWithLoopback(t)
	answer := ""
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
	e.secret(t, "chat", map[string]any{"url": server.URL + "/hook/hush-hush"})
	for _, tc := range []struct {
		action, answer string
		final          bool
		want           string
	}{
		{"notify-dingtalk", `{"errcode": 310000, "errmsg": "sign not match"}`, true, "errcode 310000: sign not match"},
		{"notify-dingtalk", `{"errcode": 130101, "errmsg": "send too fast"}`, false, "errcode 130101: send too fast"},
		{"notify-dingtalk", `<html>`, false, "not a JSON object: (body not shown: the request carries a secret)"},
		{"notify-lark", `{"code": 19024, "msg": "Key Words Not Found"}`, true, "code 19024: Key Words Not Found"},
		{"notify-lark", `{"code": 11232, "msg": "too many request"}`, false, "code 11232: too many request"},
		{"notify-wecom", `{"errcode": 93000, "errmsg": "invalid webhook url /hook/hush-hush"}`, true, "errcode 93000: invalid webhook url (redacted)"},
		{"notify-wecom", `{"errcode": 45009}`, false, "errcode 45009"},
		{"notify-wecom", `{}`, true, "errcode <nil>"},
	} {
		answer = tc.answer
		err := e.run(t, tc.action, map[string]any{"url": secretRef("chat", "url")}, e.event("x"))
		if err == nil || action.IsTerminal(err) != tc.final || !strings.HasSuffix(err.Error(), tc.want) {
			t.Errorf("%s: got %v (terminal: %v), want %q", tc.answer, err, action.IsTerminal(err), tc.want)
		}
	}
}

// TestNotify_Retry sends to all recipients, and retries only failed deliveries.
func TestNotify_Retry(t *testing.T) {
	e := startWithLoopback(t)
	requests := map[string]int{}
	broken := true
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests[r.URL.Path]++
		if r.URL.Path == "/first" && broken {
			w.WriteHeader(http.StatusBadGateway)
		}
		fmt.Fprint(w, `{"errcode": 0}`)
	})
	e.secret(t, "chat", map[string]any{"first": server.URL + "/first", "second": server.URL + "/second", "third": server.URL + "/third"})
	notify := e.action(t, e.Client, "notify", map[string]any{"to": []any{
		map[string]any{"type": "slack", "url": secretRef("chat", "first")},
		map[string]any{"type": "wecom", "url": secretRef("chat", "second")},
		map[string]any{"type": "discord", "url": secretRef("chat", "third")},
	}})
	attempt := notify.action.Start(nil, nil)
	_, err := attempt(t.Context(), e.event("x"))
	if err == nil || action.IsTerminal(err) || !strings.Contains(err.Error(), "1 of 3 deliveries failed") || !strings.Contains(err.Error(), "502 Bad Gateway") || strings.Contains(err.Error(), "/first") {
		t.Errorf("got %v", err)
	}
	broken = false
	if _, err := attempt(t.Context(), e.event("x")); err != nil {
		t.Error(err)
	}
	if requests["/first"] != 2 || requests["/second"] != 1 || requests["/third"] != 1 {
		t.Errorf("requests: %v", requests)
	}
}
