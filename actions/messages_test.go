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
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/warning"
)

// sent returns the calls of a built-in action for a ConfigMap with the note, and its
// warnings. cue is the CUE of computed properties; empty for none.
func sent(t *testing.T, name string, properties map[string]any, cue, note string) (calls []call, warnings []string) {
	t.Helper()
	source, err := fs.ReadFile(actions.FS, name+".cue")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, diags := action.Parse(name, string(source))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	r := &recorder{next: provider.New(provider.Options{Client: fakeClient(t, nil), Namespace: "default"})}
	o := action.Options{Trigger: event.Trigger{Name: "live", Namespace: "default"}, Properties: properties, Executor: r}
	if cue != "" {
		if o.Computed, diags = action.ParseComputed(cue); len(diags) > 0 {
			t.Fatal(diags)
		}
		problems, inComputed := tmpl.CheckComputed(properties, o.Computed)
		if list := slices.Concat(problems, inComputed); len(list) > 0 {
			t.Fatal(list)
		}
	}
	a, diags := tmpl.Compile(o)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	ctx, collected := warning.Collect(t.Context())
	ev := event.Event{Source: "resource-watcher", Type: event.Create, Time: time.Unix(0, 0), Data: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "noted", "namespace": "default"},
		"data": map[string]any{"note": note},
	}}
	if _, err := a.Start(nil, nil)(ctx, ev); err != nil {
		t.Fatal(err)
	}
	return r.calls, collected()
}

// services are the actions that send a message to a service, with the path of the text
// in the body of the request, and how the service measures it.
func services() map[string]struct {
	properties map[string]any
	path       []string
	limit      int
	size       func(text, body string) int
} {
	bytes := func(text, _ string) int { return len(text) }
	characters := func(text, _ string) int { return len([]rune(text)) }
	units := func(text, _ string) int { return len(utf16.Encode([]rune(text))) }
	request := func(_, body string) int { return len(body) }
	url := map[string]any{"url": secretRef("chat", "url")}
	return map[string]struct {
		properties map[string]any
		path       []string
		limit      int
		size       func(text, body string) int
	}{
		"notify-slack":    {url, []string{"text"}, 40000, characters},
		"notify-discord":  {url, []string{"content"}, 2000, characters},
		"notify-wecom":    {url, []string{"text", "content"}, 2048, bytes},
		"notify-dingtalk": {url, []string{"text", "content"}, 20000, request},
		"notify-lark":     {url, []string{"content", "text"}, 20 << 10, request},
		"notify-telegram": {map[string]any{"token": secretRef("chat", "token"), "chat": int64(1)}, []string{"text"}, 4096, units},
		"notify-teams":    {url, nil, 28 << 10, request},
	}
}

// messageOf returns the text and the body of the request of a call.
func messageOf(t *testing.T, c call, path []string) (text, body string) {
	t.Helper()
	request, _ := c.Params["request"].(map[string]any)
	body, _ = request["body"].(string)
	var decoded map[string]any
	if err := json.Unmarshal([]byte(body), &decoded); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if path != nil {
		return nestedText(decoded, path...), body
	}
	card := decoded["attachments"].([]any)[0].(map[string]any)["content"].(map[string]any)
	return nestedText(card["body"].([]any)[1].(map[string]any), "text"), body
}

// TestNotify_Escapes escapes values for each service, alone and in notify, and keeps the
// markup of the message.
func TestNotify_Escapes(t *testing.T) {
	// JetBrains/teamcity-slack-plugin#26, 8398a7/action-slack#158
	const note = "a<b && c>d <nil> <!channel> <@U1> *b* <at user_id=\"all\">x</at>"
	for name, want := range map[string]string{
		"notify-slack":    "<!here> a&lt;b &amp;&amp; c&gt;d &lt;nil&gt; &lt;!channel&gt; &lt;@U1&gt; *b* &lt;at user_id=\"all\"&gt;x&lt;/at&gt;",
		"notify-discord":  `<!here> a\<b && c\>d \<nil\> \<!channel\> \<@U1\> \*b\* \<at user_id="all"\>x\</at\>`,
		"notify-teams":    `<!here> a\<b && c\>d \<nil\> \<!channel\> \<@U1\> \*b\* \<at user_id="all"\>x\</at\>`,
		"notify-wecom":    "<!here> " + note,
		"notify-dingtalk": "<!here> " + note,
		"notify-telegram": "<!here> " + note,
		"notify-lark":     "<!here> " + strings.Replace(note, "<at", "<\u200bat", 1),
	} {
		s := services()[name]
		properties := map[string]any{"message": "<!here> {{.data.data.note}}"}
		for k, v := range s.properties {
			properties[k] = v
		}
		calls, _ := sent(t, name, properties, "", note)
		if got, _ := messageOf(t, calls[0], s.path); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		delete(properties, "message")
		properties["type"] = strings.TrimPrefix(name, "notify-")
		calls, _ = sent(t, "notify", map[string]any{"message": "<!here> {{.data.data.note}}", "to": []any{properties}}, "", note)
		if got, _ := messageOf(t, calls[0], s.path); got != want {
			t.Errorf("notify %s:\n got %s\nwant %s", name, got, want)
		}
	}
	// prometheus/alertmanager#2923 and windkh/node-red-contrib-telegrambot#301
	for mode, want := range map[string]string{"HTML": "<b>a&lt;b_</b>", "MarkdownV2": `<b>a<b\_</b>`, "Markdown": `<b>a<b\_</b>`} {
		calls, _ := sent(t, "notify-telegram", map[string]any{
			"token": secretRef("chat", "token"), "chat": "@c", "message": "<b>{{.data.data.note}}</b>", "more": map[string]any{"parse_mode": mode},
		}, "", "a<b_")
		if got, _ := messageOf(t, calls[0], []string{"text"}); got != want {
			t.Errorf("%s: got %s, want %s", mode, got, want)
		}
	}
}

// TestNotify_Computed escapes a text that CUE computes, and does not render it.
func TestNotify_Computed(t *testing.T) {
	const note = "<!channel> {{.data.metadata.name}}"
	to := []any{map[string]any{"type": "slack", "url": secretRef("chat", "url")}, map[string]any{"type": "wecom", "url": secretRef("chat", "url")}}
	for cue, want := range map[string]string{
		"message: context.data.data.note": "&lt;!channel&gt; {{.data.metadata.name}}",
		"title: context.data.data.note":   "noted <here>",
	} {
		properties := map[string]any{"to": to}
		if strings.HasPrefix(cue, "title") {
			properties["message"] = "{{.data.metadata.name}} <here>"
		}
		calls, _ := sent(t, "notify", properties, cue, note)
		if got, _ := messageOf(t, calls[0], []string{"text"}); got != want {
			t.Errorf("%s: got %s, want %s", cue, got, want)
		}
	}
}

// TestNotify_Default escapes the default message, too: its text is of the event.
func TestNotify_Default(t *testing.T) {
	calls, _ := sent(t, "notify-slack", map[string]any{"url": secretRef("chat", "url")}, "", "")
	if got, _ := messageOf(t, calls[0], []string{"text"}); got != "ConfigMap default/noted was created\nTrigger default/live, 1970-01-01T00:00:00Z" {
		t.Errorf("got %q", got)
	}
}

// TestNotify_Limits sends long messages to each service within its limit.
func TestNotify_Limits(t *testing.T) {
	for name, s := range services() {
		for _, character := range []string{"x", "世", "🚀", "<", "\n", `"`} {
			for _, n := range []int{600, 700, 3000, 50000} { // dromara/domain-admin#82
				note := strings.Repeat(character, n)
				properties := map[string]any{"message": "{{.data.metadata.name}}: {{.data.data.note}}."}
				for k, v := range s.properties {
					properties[k] = v
				}
				calls, _ := sent(t, name, properties, "", note)
				text, body := messageOf(t, calls[0], s.path)
				if size := s.size(text, body); size > s.limit || n == 50000 && size < s.limit/2 {
					t.Errorf("%s: %d of %q: size %d, limit %d", name, n, character, size, s.limit)
				}
				if !strings.HasPrefix(text, "noted: ") || !strings.HasSuffix(text, ".") {
					t.Errorf("%s: %d of %q: the user's own text is cut", name, n, character)
				}
			}
		}
	}
}

// TestHTTPRequest_JSON sends text of an event as JSON, in a message template and in CUE.
func TestHTTPRequest_JSON(t *testing.T) {
	// AliyunContainerService/kube-eventer#129
	const note = "Get \"http://10.0.0.7:8080/healthz\": dial tcp\nconnection \\ refused: it's <down> \x1b[31m\x01"
	for _, text := range []string{
		`{"title":"{{.data.metadata.name}}","msg":"{{.data.data.note}}"}`, `{"msg":{{printf "%q" .data.data.note}}}`,
		`{"msg":"{{js .data.data.note}}"}`, `{"msg":{{json .data.data.note}}}`,
	} {
		calls, _ := sent(t, "http-request", map[string]any{"url": "http://example.com", "text": text}, "", note)
		if got, _ := messageOf(t, calls[0], []string{"msg"}); got != note {
			t.Errorf("%s: got %q", text, got)
		}
	}
	calls, _ := sent(t, "http-request", map[string]any{"url": "http://example.com"}, `body: {msg: context.data.data.note, n: len(context.data.data)}`, note)
	if got, body := messageOf(t, calls[0], []string{"msg"}); got != note || !strings.Contains(body, `"n":1`) {
		t.Errorf("got %s", body)
	}
	for contentType, want := range map[string]string{"text/plain": "a&b {x}", "application/x-www-form-urlencoded": "a%26b {x}", "text/xml": "a&amp;b {x}"} {
		calls, _ := sent(t, "http-request", map[string]any{
			"url": "http://example.com", "headers": map[string]any{"content-type": contentType}, "text": "{{.data.data.note}} {x}",
		}, "", "a&b")
		if got := calls[0].Params["request"].(map[string]any)["body"]; got != want {
			t.Errorf("%s: got %s, want %s", contentType, got, want)
		}
	}
}

// TestHTTPRequest_Data keeps the templates of other tools in a body, and escapes values
// in URLs and headers.
func TestHTTPRequest_Data(t *testing.T) {
	calls, _ := sent(t, "http-request", map[string]any{
		"url": "http://example.com/{{.data.data.note}}?n={{.data.data.note}}", "headers": map[string]any{"X-Note": "n {{.data.data.note}}"},
		"body": map[string]any{"chart": "{{ .Values.image }}"},
	}, "", "a/b &\r\nX: y")
	request, _ := calls[0].Params["request"].(map[string]any)
	if got, want := calls[0].Params["url"], "http://example.com/a%2Fb%20&%0D%0AX:%20y?n=a%2Fb+%26%0D%0AX%3A+y"; got != want {
		t.Errorf("URL: got %s, want %s", got, want)
	}
	if got := request["header"].(map[string]any)["X-Note"]; got != "n a/b &  X: y" {
		t.Errorf("header: got %q", got)
	}
	if got := request["body"]; got != `{"chart":"{{ .Values.image }}"}` {
		t.Errorf("body: got %s", got)
	}
}

// TestLog_Absent logs a message that lacks a value, with a warning.
func TestLog_Absent(t *testing.T) {
	for message, want := range map[string][2]string{
		"{{.data.metadata.name}} has {{.data.status.readyReplicas}} pods":                                   {"noted has  pods", "message:1:29: {{.data.status.readyReplicas}} is absent"},
		`{{.data.metadata.name}} of {{index .data.metadata.labels "app.kubernetes.io/part-of"}}`:            {"noted of ", `message:1:28: {{index .data.metadata.labels "app.kubernetes.io/part-of"}} is absent`},
		"{{.data.metadata.name}} has {{default 0 .data.status.readyReplicas}} pods":                         {"noted has 0 pods"},
		"{{.data.metadata.annotations.summary}}{{(index .data.spec.containers 0).image}} x":                 {" x", "message:1:1: {{.data.metadata.annotations.summary}} is absent"}, // grafana/grafana#65313
		"{{if gt .data.status.restarts 3}}often{{else}}rarely{{end}}":                                       {"rarely"},                                                              // grafana/grafana#40918
		"{{range .data.status.conditions}}{{.type}}{{else}}no conditions{{end}}":                            {"no conditions"},
		"{{.data.metadata.labels.none}}":                                                                    {"create ConfigMap default/noted", "message:1:1: {{.data.metadata.labels.none}} is absent"},
		"{{printf \"%s/%s\" .data.metadata.labels.team .data.metadata.name}} {{len .data.metadata.labels}}": {"/noted 0"},
	} {
		calls, warnings := sent(t, "log", map[string]any{"message": message}, "", "")
		if got := calls[0].Params["message"]; got != want[0] {
			t.Errorf("%s: got %q, want %q", message, got, want[0])
		}
		if (want[1] == "") != (len(warnings) == 0) || want[1] != "" && warnings[0] != want[1] {
			t.Errorf("%s: warnings %q, want %q", message, warnings, want[1])
		}
	}
}

// TestMessageTemplates_Names renders names, namespaces and labels of objects on a real
// API server.
func TestMessageTemplates_Names(t *testing.T) {
	e := start(t)
	namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
	namespace.SetName(e.namespace + "-team")
	if err := e.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	ev := event.Event{Source: "resource-watcher", Type: event.Create, ID: "1", Data: namespace.Object}
	run := func(name string, properties map[string]any) {
		t.Helper()
		if err := e.action(t, e.Client, name, properties).Run(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	// kyverno/kyverno#1294
	run("patch-resource", map[string]any{
		"resource": map[string]any{"apiVersion": "v1", "kind": "Namespace", "name": "{{.data.metadata.name}}", "namespace": ""},
		"patch":    map[string]any{"data": map[string]any{"metadata": map[string]any{"labels": map[string]any{"team": "unknown"}}}},
	})
	run("apply-resource", map[string]any{"resource": map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]any{"name": "deny-all", "namespace": "{{.data.metadata.name}}"},
		"spec":     map[string]any{"podSelector": map[string]any{}, "policyTypes": []any{"Ingress"}},
	}})
	// projectsveltos/event-manager#205 and #223, tektoncd/triggers#618
	run("apply-resource", map[string]any{"resources": []any{map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{
			"name": "of-{{.data.metadata.name}}", "namespace": "{{.data.metadata.name}}",
			"labels": map[string]any{"of": "{{.data.metadata.name}}", "none": "{{.data.metadata.labels.none}}"}, "annotations": map[string]any{"kind": "{{.data.kind}}"},
		},
		"data": map[string]any{"template": "{{ .Values.image }}"},
	}}})
	read := func(kind schema.GroupVersionKind, in, name string) *unstructured.Unstructured {
		t.Helper()
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(kind)
		if err := e.Get(t.Context(), client.ObjectKey{Namespace: in, Name: name}, u); err != nil {
			t.Fatal(err)
		}
		return u
	}
	if got := read(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "", namespace.GetName()); got.GetLabels()["team"] != "unknown" {
		t.Errorf("labels %v", got.GetLabels())
	}
	read(schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}, namespace.GetName(), "deny-all")
	cm := read(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, namespace.GetName(), "of-"+namespace.GetName())
	if got := fmt.Sprint(cm.GetLabels(), cm.GetAnnotations()["kind"], cm.Object["data"]); got != "map[none: of:"+namespace.GetName()+"]Namespacemap[template:{{ .Values.image }}]" {
		t.Errorf("got %s", got)
	}
	// argoproj/argo-events#289: the name of another object is never the default
	err := e.action(t, e.Client, "delete-resource", map[string]any{"name": "{{.data.metadata.labels.owner}}"}).Run(t.Context(), ev)
	if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "name: 1:1: {{.data.metadata.labels.owner}} is absent") {
		t.Errorf("got %v", err)
	}
	read(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "", namespace.GetName())
}
