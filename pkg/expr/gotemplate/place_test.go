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

package gotemplate_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

func event(note any) map[string]any {
	return map[string]any{
		"sourceType": "event", "timestamp": "2026-01-02T03:04:05Z",
		"event": map[string]any{"type": "create"}, "trigger": map[string]any{"name": "t", "namespace": "ns"},
		"data": map[string]any{
			"kind": "Event", "metadata": map[string]any{"name": "web", "namespace": "shop"}, "note": note,
			"count": int64(3), "big": 1e6, "list": []any{"a", int64(1)}, "object": map[string]any{"b": "<1>"},
		},
	}
}

func at(t *testing.T, place gotemplate.Place, source string, note any) gotemplate.Output {
	t.Helper()
	parsed, err := gotemplate.Parse(source, place)
	if err != nil {
		t.Fatal(err)
	}
	out, err := parsed.Execute(event(note))
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return out
}

// TestPlace_Escape escapes values, and not the text of the template.
func TestPlace_Escape(t *testing.T) {
	for _, tc := range []struct {
		place               gotemplate.Place
		source, value, want string
	}{
		// 8398a7/action-slack#158, truenas/middleware#11580, bugsnag/bugsnag-notification-plugins#109
		{gotemplate.Slack, "<!channel> {{.data.note}}", `a<b && c>d <!channel> "x"`, `<!channel> a&lt;b &amp;&amp; c&gt;d &lt;!channel&gt; "x"`},
		// ansible/ansible#19579: markup of the user's own is kept
		{gotemplate.Slack, "<https://google.com|{{.data.note}}> {{raw .data.note}}", "<x>", "<https://google.com|&lt;x&gt;> <x>"},
		{gotemplate.Slack, "{{slack .data.note}} {{html .data.note}}", "<x>", "&lt;x&gt; &lt;x&gt;"},
		// caronc/apprise#1178, EdJoPaTo/telegram-format#5, iobroker-community-adapters/ioBroker.telegram#379, rfxn/linux-malware-detect#487
		{gotemplate.TelegramMarkdownV2, "*{{.data.note}}*", "web-0 (v1.2)! #3", `*web\-0 \(v1\.2\)\! \#3*`},
		{gotemplate.TelegramMarkdownV2, "`{{.data.note}}`", "a-b`c", "`a-b\\`c`"},
		// irazasyed/telegram-bot-sdk#493
		{gotemplate.TelegramMarkdown, "*Mail* {{.data.note}}", "first_last@example.com", `*Mail* first\_last@example.com`},
		{gotemplate.TelegramHTML, "<b>{{.data.note}}</b>", "<nil> & co", "<b>&lt;nil&gt; &amp; co</b>"},
		{gotemplate.Telegram, "{{.data.note}}", "<b>_x_</b>", "<b>_x_</b>"},
		{gotemplate.Discord, "**{{.data.note}}**", "*x* `y` @everyone <@1> [a](b) snake_case _z_", "**\\*x\\* \\`y\\` @everyone \\<@1\\> \\[a\\](b) snake_case \\_z\\_**"},
		{gotemplate.Discord, "`{{.data.note}}` {{.data.note}}", "a_b`*", "`a_bˋ*` a_b\\`\\*"},
		{gotemplate.Discord, "```\n{{.data.note}}\n```", "*```*", "```\n*ˋˋˋ*\n```"},
		{gotemplate.Discord, "{{.data.note}}", "https://example.com/_a_/~b", "https://example.com/_a_/~b"},
		{gotemplate.Teams, "{{.data.note}}", "- [x](http://evil)", `\- \[x\](http://evil)`},
		{gotemplate.Lark, "<at user_id=\"1\">x</at> {{.data.note}}", `<at user_id="all">all</at>`, "<at user_id=\"1\">x</at> <\u200bat user_id=\"all\">all</at>"},
		{gotemplate.HTML, "<p>{{.data.note}}</p>", "<script>", "<p>&lt;script&gt;</p>"},
		{gotemplate.Header, "[k8s] {{.data.note}}", "a\r\nBcc: x@example.com", "[k8s] a  Bcc: x@example.com"},
		{gotemplate.URL, "https://example.com/a/{{.data.note}}?q={{.data.note}}#{{.data.note}}", "x/y z&=?#é", "https://example.com/a/x%2Fy%20z&=%3F%23%C3%A9?q=x%2Fy+z%26%3D%3F%23%C3%A9#x%2Fy+z%26%3D%3F%23%C3%A9"},
		{gotemplate.URL, "{{.data.note}}/x", "https://example.com:8443/a?b=c", "https://example.com:8443/a?b=c/x"},
		{gotemplate.URL, "https://{{.data.note}}/x", "10.0.0.1:80/@evil", "https://10.0.0.1:80%2F%40evil/x"},
		{gotemplate.URL, "https://example.com/{{raw .data.note}}", "a/b", "https://example.com/a/b"},
		{gotemplate.URL, "https://example.com/{{urlquery .data.note}}", "a b", "https://example.com/a+b"},
		{gotemplate.Form, "a={{.data.note}}&b=1", "x&b=2", "a=x%26b%3D2&b=1"},
		{gotemplate.Plain, "kubectl delete pod {{shell .data.note}}", "a'; rm -rf /", `kubectl delete pod 'a'\''; rm -rf /'`},
		{gotemplate.Plain, "{{.data.big}} {{.data.list}} {{.data.object}} {{.data.count}}", "", `1000000 ["a",1] {"b":"<1>"} 3`},
		{gotemplate.Plain, "{{.data.note}}", "<&>\"'*_`", "<&>\"'*_`"},
	} {
		if got := at(t, tc.place, tc.source, tc.value).Text; got != tc.want {
			t.Errorf("%s: %s:\n got %s\nwant %s", tc.place, tc.source, got, tc.want)
		}
	}
}

// TestPlace_JSON renders valid JSON with the text of the event, whatever it holds.
func TestPlace_JSON(t *testing.T) {
	for _, note := range []any{
		// AliyunContainerService/kube-eventer#129
		"Get \"http://10.0.0.7:8080/healthz\": dial tcp\nconnection \\ refused: it's <down> \x1b[31m\x01",
		// louislam/uptime-kuma#3778, tmknight/docker-autoheal#114: output of several lines
		"PING example.com\r\n64 bytes\ttime=1 ms\r\n", "curl: (7) Failed\n\n-:--",
		// jellyfin/jellyfin-plugin-webhook#44, #217
		"第一行\n第二行\u2028", `C:\new`,
		// higanworks/rundeck-slack-incoming-webhook-plugin#19
		`job "nightly" failed`, `\`, `"`, "\xff", "", "true", "12",
	} {
		for _, source := range []string{
			`{"title":"x","msg":"{{.data.note}}"}`, `{"msg":{{.data.note}}}`, `{"msg":{{json .data.note}}}`, `{"msg":{{.data.note | toJson}}}`,
			`{"msg":{{printf "%q" .data.note}}}`, `{"msg":"{{js .data.note}}"}`, `{"msg":"{{printf "%s" .data.note}}"}`,
			`{"a\"b":1,"msg":"{{.data.note}}"}`,
		} {
			var got struct{ Msg any }
			text := at(t, gotemplate.JSON, source, note).Text
			if err := json.Unmarshal([]byte(text), &got); err != nil || got.Msg != strings.ToValidUTF8(note.(string), "\ufffd") {
				t.Errorf("%s: got %q (%v) in %s, want %q", source, got.Msg, err, text, note)
			}
		}
	}
	for source, want := range map[string]string{
		`{"n":{{.data.count}},"l":{{.data.list}},"o":{{.data.object}},"x":{{.data.none}}}`: `{"n":3,"l":["a",1],"o":{"b":"<1>"},"x":null}`,
		`{"n":{{printf "%02.1f" .data.big}},"b":{{gt .data.count 2}}}`:                     `{"n":1000000.0,"b":true}`,
		`{"o":"{{json .data.object}}","r":{{raw "[1]"}}}`:                                  `{"o":"{\"b\":\"<1>\"}","r":[1]}`,
		`[{{range $i, $e := .data.list}}{{if $i}},{{end}}{{$e}}{{end}}]`:                   `["a",1]`,
	} {
		if got := at(t, gotemplate.JSON, source, "").Text; got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
}

// TestPlace_Limit shortens values in the unit of the place, between characters.
func TestPlace_Limit(t *testing.T) {
	utf16Units := func(s string) int { return len(utf16.Encode([]rune(s))) }
	bytes := func(s string) int { return len(s) }
	jsonBytes := func(s string) int {
		var b strings.Builder
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(s); err != nil {
			t.Fatal(err)
		}
		return b.Len()
	}
	for place, c := range map[gotemplate.Place]struct {
		limit int
		size  func(string) int
	}{
		gotemplate.Slack:   {40000, utf8.RuneCountInString},
		gotemplate.Discord: {2000, utf8.RuneCountInString}, // containrrr/shoutrrr#91
		gotemplate.WeCom:   {2048, bytes},                  // dromara/domain-admin#82
		// ix-ai/alertmanager-notifier#6, muety/telepush#66, grafana/grafana#48812, irgendwr/TelegramAlert#38
		gotemplate.Telegram:           {4096, utf16Units},
		gotemplate.TelegramMarkdownV2: {4096, utf16Units},
		gotemplate.TelegramHTML:       {4096, utf16Units},
		gotemplate.DingTalk:           {20000, jsonBytes}, // timonwong/prometheus-webhook-dingtalk#222
		gotemplate.Lark:               {20 << 10, jsonBytes},
		gotemplate.Teams:              {28 << 10, jsonBytes}, // MicrosoftDocs/OfficeDocs-SkypeForBusiness#4114
		gotemplate.Note:               {1024, bytes},
	} {
		for _, character := range []string{"x", "é", "世", "🚀", "👩‍👩‍👧", "&", "\n", "*", "<", `"`} {
			note := strings.Repeat(character, 50000)
			text := at(t, place, "<b>{{.data.metadata.name}}</b>: {{.data.note}} <i>end</i>", note).Text
			if size := c.size(text); size > c.limit || size < c.limit*2/5 || !utf8.ValidString(text) {
				t.Errorf("%s: %q: size %d, limit %d", place, character, size, c.limit)
			}
			if !strings.HasPrefix(text, "<b>web</b>: ") || !strings.HasSuffix(text, "… <i>end</i>") && !strings.HasSuffix(text, `\… <i>end</i>`) {
				t.Errorf("%s: %q: the text of the template is cut: %.20s…%s", place, character, text, text[len(text)-20:])
			}
			short := strings.Repeat(character, 10)
			if got := at(t, place, "{{raw .data.note}}", short).Text; got != short {
				t.Errorf("%s: a short text is changed: %q", place, got)
			}
		}
		// prometheus/alertmanager#2923: a text of the user's own
		if text := at(t, place, strings.Repeat("🚀", 50000), "").Text; c.size(text) > c.limit || !strings.HasSuffix(text, "🚀…") {
			t.Errorf("%s: size %d, limit %d", place, c.size(text), c.limit)
		}
	}
}

// TestPlace_LimitOfCombined separates no character of several code points.
func TestPlace_LimitOfCombined(t *testing.T) {
	for _, character := range []string{"👩‍👩‍👧", "e\u0301", "👍🏽"} {
		text := at(t, gotemplate.WeCom, "{{.data.note}}", strings.Repeat(character, 1000)).Text
		if rest := strings.ReplaceAll(strings.TrimSuffix(text, "…"), character, ""); rest != "" {
			t.Errorf("%s: cut to %q", character, rest)
		}
	}
}

// TestTemplate_Absent renders absent values as nothing and names them.
func TestTemplate_Absent(t *testing.T) {
	for source, want := range map[string]struct {
		text   string
		absent []string
	}{
		"{{.data.metadata.name}} has {{.data.status.readyReplicas}} pods": {"web has  pods", []string{"1:29: {{.data.status.readyReplicas}}"}},
		// argoproj/notifications-engine#42
		`of {{index .data.metadata.labels "app.kubernetes.io/part-of"}}`: {"of ", []string{`1:4: {{index .data.metadata.labels "app.kubernetes.io/part-of"}}`}},
		// cybozu-go/neco#600
		"a\n {{.Annotations.summary}}{{.Annotations.summary}}":                      {"a\n ", []string{"2:2: {{.Annotations.summary}}", "2:26: {{.Annotations.summary}}"}},
		"{{range 3}}{{$.data.none}}{{end}}":                                         {"", []string{"1:12: {{$.data.none}}"}},
		"{{(index .data.list 7).x}}{{.data.metadata.name.first}}":                   {"", []string{"1:1: {{(index .data.list 7).x}}", "1:27: {{.data.metadata.name.first}}"}},
		"{{default 0 .data.status.readyReplicas}}":                                  {"0", nil},
		"{{.data.status.readyReplicas | default \"none\"}}":                         {"none", nil},
		`{{printf "%s" .data.status.phase | default "x"}}{{html "" | default "y"}}`: {"xy", nil},
		"{{or .data.status.phase \"unknown\"}}":                                     {"unknown", nil},
		"{{if .data.status.phase}}x{{else}}y{{end}}":                                {"y", nil},
		"{{with .data.status.phase}}{{.}}{{end}}":                                   {"", nil},
		"{{range .data.status.conditions}}x{{else}}none{{end}}":                     {"none", nil},
		"{{len .data.status.conditions}} {{eq .data.none \"x\"}}":                   {"0 false", nil},
		"{{eq .data.count 3.0}} {{eq .data.count \"3\"}}":                           {"true false", nil},
		"{{lt .data.none 3}} {{gt .data.count 2}} {{ge \"b\" \"a\"}}":               {"false true true", nil},
		"{{ne .data.none .data.count}} {{slice .data.none 1}}":                      {"true ", []string{"1:31: {{slice .data.none 1}}"}},
		`{{printf "%d pods of %s" .data.none .data.metadata.name}}`:                 {" pods of web", nil},
		"{{$x := .data.none}}{{$x}}":                                                {"", []string{"1:21: {{$x}}"}},
		"{{object}}, {{title}}":                                                     {"Event shop/web, Event shop/web was created", nil},
		"{{summary}}":                                                               {"Event shop/web was created\nTrigger ns/t, 2026-01-02T03:04:05Z", nil},
	} {
		got := at(t, gotemplate.Plain, source, "")
		if got.Text != want.text || !cmp.Equal(got.Absent, want.absent) {
			t.Errorf("%s: got %q %q, want %q %q", source, got.Text, got.Absent, want.text, want.absent)
		}
	}
}

// TestTemplate_AbsentName fails where the action would use its default.
func TestTemplate_AbsentName(t *testing.T) {
	for _, place := range []gotemplate.Place{gotemplate.Name, gotemplate.URL} {
		parsed, err := gotemplate.Parse("{{.data.metadata.labels.owner}}", place)
		if err != nil {
			t.Fatal(err)
		}
		var absent *gotemplate.AbsentError
		if _, err := parsed.Execute(event("")); !errors.As(err, &absent) || !strings.Contains(err.Error(), "{{.data.metadata.labels.owner}} is absent") {
			t.Errorf("%s: got %v", place, err)
		}
	}
	if got := at(t, gotemplate.Name, "{{with .data.metadata.none}}{{.}}{{end}}", ""); got.Text != "" {
		t.Errorf("got %q", got.Text)
	}
}

// TestEscape escapes a text as a whole, and cuts it.
func TestEscape(t *testing.T) {
	if got := gotemplate.Escape("<!channel> {{.x}}", gotemplate.Slack); got != "&lt;!channel&gt; {{.x}}" {
		t.Errorf("got %s", got)
	}
	if got := gotemplate.Escape(strings.Repeat("🚀", 3000), gotemplate.WeCom); len(got) > 2048 || len(got) < 2040 {
		t.Errorf("got %d bytes", len(got))
	}
	if got := gotemplate.Escape(`{"a":"b"}`, gotemplate.JSON); got != `{"a":"b"}` {
		t.Errorf("got %s", got)
	}
}
