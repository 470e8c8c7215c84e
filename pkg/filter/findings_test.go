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

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// What no event of a source has is warned about.
func TestCheck_Form(t *testing.T) {
	text := datatype.Of(datatype.Any)
	objects := event.Form{Types: []string{event.Create, event.Update, event.Delete, event.Sync}}
	changes := event.Form{Data: datatype.Of(datatype.Struct).With(map[string]datatype.Type{"changes": datatype.Object(map[string]datatype.Type{"phaseChanged": text, "revisionMade": text})})}
	calls := event.Form{Data: datatype.Object(map[string]datatype.Type{
		"path": text, "headers": {Kinds: datatype.Struct, LowerCase: true, Values: &text}, "query": datatype.MapOf(text), "body": datatype.Of(datatype.Any),
	})}
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
		{calls, `context.data.header["x-github-event"] == "push"`, `1:14: no event of this source has context.data.header; did you mean "headers"?; fields: body, headers, path, query`},
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
		if got := Check(tc.text, tc.form).Diagnostics().Error(); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestCheck(t *testing.T) {
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
		got := Check(text, event.Form{}).Diagnostics().Error()
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// What the type of the data contradicts is found, also in loops, helpers and constraints.
func TestCheck_Data(t *testing.T) {
	text, number := datatype.Of(datatype.String), datatype.Of(datatype.Number)
	object := func(fields map[string]datatype.Type) datatype.Type {
		o := datatype.Object(fields)
		o.Origin = "apps/v1 Deployment"
		return o
	}
	deployments := event.Form{Data: object(map[string]datatype.Type{
		"metadata": object(map[string]datatype.Type{"name": text, "labels": datatype.MapOf(text), "created": {Kinds: datatype.String, Format: datatype.Time}}),
		"spec": object(map[string]datatype.Type{
			"replicas": number, "paused": datatype.Of(datatype.Bool), "port": datatype.Of(datatype.String | datatype.Number),
			"limits": datatype.MapOf(datatype.Type{Kinds: datatype.String | datatype.Number, Format: datatype.Quantity}),
		}),
		"status": object(map[string]datatype.Type{"ready": number, "conditions": datatype.ListOf(object(map[string]datatype.Type{"type": text, "status": text}))}),
	})}
	ticks := event.Form{Data: datatype.Object(map[string]datatype.Type{"timeZone": text})}
	for _, tc := range []struct {
		form       event.Form
		text, want string
		certainty  expr.Certainty
	}{
		{deployments, `context.data.status.redy == 1`, `1:21: context.data.status has no field "redy" (apps/v1 Deployment); did you mean "ready"?`, expr.UnknownField},
		{deployments, `context.old.status.redy == 1`, `1:20: context.old.status has no field "redy"`, expr.UnknownField},
		{deployments, `context.data["stauts"].ready == 1`, `1:14: context.data has no field "stauts" (apps/v1 Deployment); did you mean "status"?`, expr.UnknownField},
		{deployments, "d.redy == 1\nlet d = context.data.status", `1:3: d has no field "redy"`, expr.UnknownField},
		{deployments, "_d.redy == 1\n_d: context.data.status", `1:4: _d has no field "redy"`, expr.UnknownField},
		{deployments, `or([for c in context.data.status.conditions {c.typ == "Ready"}])`, `1:48: c has no field "typ" (apps/v1 Deployment); did you mean "type"?`, expr.UnknownField},
		{deployments, `context.data.status.conditions[0].typ == "Ready"`, `context.data.status.conditions[0] has no field "typ"`, expr.UnknownField},
		{deployments, `context.data.status.conditions.type == "Ready"`, `it is a list, whose elements are in a loop: [for x in context.data.status.conditions {x.type}]`, expr.UnknownField},
		{deployments, `context.data.status.ready.count == 1`, `context.data.status.ready has no field "count": it is a number`, expr.UnknownField},
		{deployments, `(*context.data.status.redy | 0) == 0`, `has no field "redy"`, expr.UnknownField},
		{deployments, `context: data: status: redy: 1`, `1:24: context.data.status has no field "redy"`, expr.UnknownField},
		{deployments, `context.data.metadata.labels.anything == "x" && context.data.metadata.labels["example.com/a"] == "x"`, "", 0},
		{deployments, `context.data.spec.port == "http" || context.data.spec.port == 80`, "", 0},
		{deployments, `len([for k, v in context.data.metadata.labels if v == "x" {k}]) > 0`, "", 0},
		{deployments, `(*context.data.status.ready | 0) < context.data.spec.replicas && context.data.spec.paused`, "", 0},
		{deployments, `and([for c in context.data.status.conditions {c.status == "True"}])`, "", 0},
		{ticks, `context.data.timezone == "UTC"`, `1:14: no event of this source has context.data.timezone; did you mean "timeZone"?; fields: timeZone`, expr.Impossible},
		// Kinds.
		{deployments, `context.data.spec.replicas == "3"`, `1:1: a number and a string are never equal: context.data.spec.replicas == "3"; did you mean 3?; the filter never matches`, expr.Impossible},
		{deployments, `context.data.spec.replicas > "3"`, `have no order: context.data.spec.replicas > "3"; did you mean 3?; the filter never matches`, expr.Impossible},
		{deployments, `context.data.metadata.name == "x" && context.data.spec.paused == "true"`, `a boolean and a string are never equal: context.data.spec.paused == "true"; did you mean true?; the filter`, expr.Impossible},
		{deployments, `context.data.metadata.name == "x" || context.data.spec.replicas == "3"`, `did you mean 3?`, expr.Doubtful},
		{deployments, `!(context.data.metadata.name == "x" || context.data.spec.replicas > "3")`, `the filter never matches`, expr.Impossible},
		{deployments, `!(context.data.spec.replicas == "3")`, `did you mean 3?`, expr.Doubtful},
		{deployments, `context.data.spec.replicas != "3"`, `a number and a string are never equal`, expr.Doubtful},
		{deployments, `or([for c in context.data.status.conditions {c.status == true}])`, `a string and a boolean are never equal: c.status == true; did you mean "True"?`, expr.Doubtful},
		{deployments, `context.data.metadata.name == 3`, `did you mean "3"?; the filter never matches`, expr.Impossible},
		{deployments, `context.data.spec.replicas =~ "^3"`, `=~ compares with a string, and this is a number`, expr.Impossible},
		{deployments, `context.data.spec.replicas`, `must be a boolean, not a number: context.data.spec.replicas`, expr.Impossible},
		{deployments, `context: data: spec: replicas: "3"`, `1:32: context.data.spec.replicas is a number, not a string: "3"; the filter never matches`, expr.Impossible},
		{deployments, `context: data: spec: replicas: >3`, "", 0},
		{deployments, `context: data: spec: replicas: >"x"`, `context.data.spec.replicas is a number, not a string: >"x"`, expr.Impossible},
		{deployments, `context: data: metadata: name: string & =~"^web-"`, "", 0},
		{deployments, `context: data: spec: replicas?: "3"`, `context.data.spec.replicas is a number, not a string: "3"`, expr.Doubtful},
		{deployments, `context: data: status: conditions: [...{typ: "x"}]`, `context.data.status.conditions[] has no field "typ"`, expr.UnknownField},
		// Texts with an order of their own.
		{deployments, `context.data.spec.limits.cpu > context.data.spec.limits.other`, `1:1: context.data.spec.limits.cpu is a quantity, a text such as "500m" or "10Gi"; compare quantities: quantity(context.data.spec.limits.cpu) > quantity(context.data.spec.limits.other)`, expr.Doubtful},
		{deployments, `context.data.spec.limits["cpu"] > 1`, `is a quantity`, expr.Doubtful},
		{deployments, `quantity(context.data.spec.limits.cpu) > quantity("1")`, "", 0},
		{deployments, `context.data.metadata.created < context.timestamp`, `is a time, and texts are compared letter by letter; compare times: timestamp(context.data.metadata.created) < timestamp(context.timestamp)`, expr.Doubtful},
		{deployments, `context.data.spec.limits.cpu == "1"`, "", 0},
	} {
		if _, problems := Compile(tc.text, event.Trigger{}); problems != nil {
			t.Errorf("%s: %v", tc.text, problems)
		}
		got := Check(tc.text, tc.form)
		switch {
		case tc.want == "" && len(got) == 0:
		case tc.want == "" || len(got) != 1 || !strings.Contains(got[0].String(), tc.want) || got[0].Certainty != tc.certainty:
			t.Errorf("%s: got %v, want %q, %d", tc.text, got, tc.want, tc.certainty)
		}
	}
}

// Idioms of CUE's documentation that yield a boolean are valid filters.
func TestCompile_Idioms(t *testing.T) {
	for _, text := range []string{
		`and([for c in context.data.status.conditions {c.status == "True"}])`,
		`or([for c in context.data.status.conditions {c.status == "True"}])`,
		`and([context.data.spec.paused, context.data.spec.replicas > 3])`,
		`[if context.data.spec.replicas > 3 {true}, false][0]`,
		`(context.data.spec.replicas & >2) != _|_`,
		`(context.data.metadata.name & =~"^w") == context.data.metadata.name`,
		`len([for c in context.data.spec.containers if c.image =~ ":latest$" {c}]) > 0`,
		`list.Contains([for c in context.data.status.conditions if c.status == "True" {c.type}], "Available")`,
		`or([for k, v in context.data.metadata.labels {k =~ "^app" && v == "x"}])`,
		`*context.data.spec.paused | false`,
		`{a: context.data.spec.replicas > 3}.a`,
		`{if context.data.spec.paused {a: true}}.a == true`,
		"_ok\n_ok: context.data.spec.replicas > 3",
		"Big\nlet Big = context.data.spec.replicas > 3",
		"#Big.ok\n#Big: {n: context.data.spec.replicas, ok: n > 3}",
		`"\(context.data.metadata.namespace)/\(context.data.metadata.name)" == "a/b"`,
		`list.MinItems(context.data.spec.containers, 2)`,
		`list.UniqueItems(context.data.metadata.finalizers)`,
		`struct.MinFields(context.data.metadata.labels, 1)`,
		`list.Sort([for c in context.data.spec.containers {c.name}], list.Ascending)[0] == "a"`,
		`math.MultipleOf(context.data.spec.replicas, 2)`,
		`strconv.ParseBool(context.data.metadata.labels.x)`,
		`net.IPv4(context.data.spec.clusterIP)`,
		`time.Time(context.data.metadata.creationTimestamp)`,
		`json.Valid(context.data.metadata.annotations.x)`,
		`regexp.Match("^a", context.data.metadata.name)`,
		`path.Match("a*", context.data.metadata.name)`,
		`uuid.Valid(context.data.metadata.uid)`,
		`mod(context.data.spec.replicas, 2) == 0`,
	} {
		if _, problems := Compile(text, event.Trigger{}); problems != nil {
			t.Errorf("%s: %v", text, problems)
		}
	}
}
