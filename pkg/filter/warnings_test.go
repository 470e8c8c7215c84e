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

package filter

import (
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// What no event of a source has is warned about.
func TestWarnings_Form(t *testing.T) {
	objects := event.Form{Types: []string{event.Create, event.Update, event.Delete, event.Sync}}
	changes := event.Form{Nested: map[string][]string{"changes": {"phaseChanged", "revisionMade"}}}
	calls := event.Form{DataFields: []string{"path", "headers", "query", "body"}}
	for _, tc := range []struct {
		form       event.Form
		text, want string
	}{
		// datapio/opencore#46, argoproj/argo-events#495
		{objects, `context.event.type == "UPDATE"`, `1:23: no event of this source has the type "UPDATE"; did you mean "update"?; types: create, update, delete, sync`},
		{objects, `"MODIFIED" != context.event.type`, `1:1: no event of this source has the type "MODIFIED"; types:`},
		{objects, `list.Contains(["ADDED", "update"], context.event.type)`, `1:16: no event of this source has the type "ADDED"`},
		{objects, `context: event: type: "DELETE"`, `1:23: no event of this source has the type "DELETE"; did you mean "delete"?`},
		{objects, `context.event.type == "update" && context.data.ref == "UPDATE"`, ""},
		{calls, `context.event.type == "UPDATE"`, ""},
		{objects, `context.event.typ == "update"`, `1:15: no event has context.event.typ; did you mean "type"?; fields: cluster, id, type`},
		{calls, `context.event["payload"] == "push"`, `1:15: no event has context.event.payload; fields: cluster, id, type`},
		{objects, `context: event: typ: "update"`, `1:17: no event has context.event.typ; did you mean "type"?`},
		{objects, `context.event.id != "" && context.event.cluster == ""`, ""},
		// argoproj/argo-events#2372
		{calls, `context.data.header["x-github-event"] == "push"`, `1:14: no event of this source has context.data.header; did you mean "headers"?; fields: path, headers, query, body`},
		{calls, `context.data.headers["X-GitHub-Event"] == "push"`, `1:22: names of headers are in lower case: "x-github-event"`},
		{calls, `context.data.ref == "refs/heads/main"`, `1:14: no event of this source has context.data.ref; did you mean context.data.body.ref?; fields:`},
		{calls, `context.data["ref"] == "refs/heads/main"`, "did you mean context.data.body.ref?"},
		{calls, `context: data: {ref: "refs/heads/main", body: x: 1}`, "1:17: no event of this source has context.data.ref"},
		{calls, `context.data.body.ref == context.data.headers["x-ref"] && context.data.query.Ref == "x"`, ""},
		{changes, `context.data.changes.phaseChange.to == "running"`, `1:22: no event of this source has context.data.changes.phaseChange; did you mean "phaseChanged"?; fields: phaseChanged, revisionMade`},
		{changes, `context.data.changes.phaseChanged.to == "running" && context.data.spec.phaseChange == "x"`, ""},
		{objects, `context.data.changes.phaseChange.to == "running"`, ""},
		{objects, `context.data.ref == "refs/heads/main"`, ""},
		// kyverno/kyverno#12, open-policy-agent/opa#1282
		{objects, `context.data.metadata.name == "web-*"`, `1:31: == compares the whole text, in which no name has a *; a pattern is a regular expression: =~ "^web-.*$"`},
		{objects, `or([for c in context.data.l {c.name != "*.sidecar"}])`, `=~ "^.*\\.sidecar$"`},
		{objects, `context.data.spec.schedule == "*/5 * * * *"`, ""},
	} {
		if _, problems := Compile(tc.text, event.Trigger{}); problems != nil {
			t.Errorf("%s: %v", tc.text, problems)
		}
		if got := Warnings(tc.text, tc.form).Error(); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for text, want := range map[string]string{
		`context.data.spec.resources.requests.storage > "10Gi"`:  `1:48: texts are compared letter by letter, so that "5Gi" is more than "10Gi"; compare quantities: quantity(…) > quantity("10Gi")`,
		`"500m" <= context.data.cpu`:                             `quantity("500m")`,
		`context: data: storage: >"1.5Gi"`:                       `1:26: texts are compared`,
		`context.data.t < "2026-03-25T13:37:11+08:00"`:           `timestamp("2026-03-25T13:37:11+08:00")`,
		`context.data.a == 1 || context.data.t > "2026-03-25"`:   `1:41: texts are compared`,
		`len([for c in context.data.l if c.t > "5Gi" {c}]) == 1`: `quantity("5Gi")`,
		// kyverno/kyverno#9860, kyverno/kyverno#5953
		`context.data.interval >= "60s"`:  `1:26: texts are compared letter by letter, so that "5s" is more than "10s"; compare durations: time.ParseDuration(…) > time.ParseDuration("60s")`,
		`context.data.lifetime > "1h30m"`: `time.ParseDuration("1h30m")`,
		`context.data.age > "5m"`:         `or durations: time.ParseDuration(…) > time.ParseDuration("5m")`,
		// fluxcd/image-reflector-controller#145, vmware-tanzu/sonobuoy#617
		`context.data.tag > "1.9.0"`:                   `1:20: texts are compared letter by letter, so that "1.9.0" is more than "1.10.0"; compare versions: version(…) > version("1.9.0")`,
		`context.data.tag < "v1.13"`:                   `version("v1.13")`,
		`version(context.data.tag) > version("1.9.0")`: "",
		// intel/psst#23
		`context.data.a == 1 & (context.data.b != "x")`: "1:21: a & b unifies two values, which differ if one condition is false; write a && b",
		`(context.data.a & "x") == "x"`:                 "",
		`context.data.tag == "1.9.0"`:                   "",
		`quantity(context.data.a) > quantity("10Gi")`:   "",
		`context.data.cpu == "500m"`:                    "",
		`context.data.name > "web"`:                     "",
		`context.data.n > 10`:                           "",
	} {
		if _, problems := Compile(text, event.Trigger{}); problems != nil {
			t.Errorf("%s: %v", text, problems)
		}
		got := Warnings(text, event.Form{}).Error()
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
