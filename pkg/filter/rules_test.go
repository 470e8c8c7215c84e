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
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/test/markdown"
)

// rule is a filter, and whether it matches an event with data. Where it does not, reason
// is a part of why.
type rule struct {
	filter, data string
	match        bool
	reason       string
}

// rules are the rules of docs/filters.md, with more cases than its table.
func rules() map[string][]rule {
	return map[string][]rule{
		"absent": {
			{`context.data.a.b == "x"`, `{}`, false, "context.data.a.b is absent"},
			{`context.data.a.b != "x"`, `{"a": {}}`, false, "context.data.a.b is absent"},
			{`context.data.a > 1`, `{}`, false, "is absent"},
			{`!context.data.a`, `{}`, false, "is absent"},
			{`context.data.a == _|_`, `{}`, true, ""},
			{`context.data.a != _|_`, `{}`, false, "is false"},
			{`context.data.l[2] == 1`, `{"l": [1]}`, false, "context.data.l[2] is absent"},
			{`context.data.a == 1 || context.data.b == 2`, `{"b": 2}`, true, ""},
			{`context.data.a == 1 || context.data.b == 2`, `{"b": 3}`, false, "is false"},
			{`!(context.data.a == 1 || context.data.b == 2)`, `{"b": 3}`, false, "context.data.a is absent"},
			{`!(context.data.a == 1 && context.data.b == 2)`, `{"b": 3}`, true, ""},
			{`!(context.data.a == 1 && context.data.b == 2)`, `{"b": 2}`, false, "is false"},
			// argoproj/argo-events#1442: a path that does not exist
			{`context.data.oldrev != _|_ || context.data.action == "open"`, `{"action": "open"}`, true, ""},
			{`context.data.object_attributes.oldrev != "0"`, `{"object_attributes": {}}`, false, "oldrev is absent"},
			// cel-expr/cel-go#912
			{`context.data.fizz.baz.buzz != _|_`, `{"fizz": {"buzz": {"baz": "biz"}}}`, false, "is false"},
			// imbue-ai/mngr#1480
			{`context.data.labels.mngr_subagent_proxy == "child"`, `{"labels": {"team": "a"}}`, false, "is absent"},
		},
		"null": {
			// superplane#1168
			{`context.data.base_ref =~ "^refs/heads/release-"`, `{"base_ref": null}`, false, "context.data.base_ref is null"},
			{`context.data.head_commit.message =~ "deploy"`, `{"head_commit": null}`, false, "context.data.head_commit.message is absent"},
			{`context.data.a == "x"`, `{"a": null}`, false, "context.data.a is null"},
			{`context.data.a != "x"`, `{"a": null}`, false, "context.data.a is null"},
			{`!(context.data.a == "x")`, `{"a": null}`, false, "context.data.a is null"},
			{`context.data.a < 1`, `{"a": null}`, false, "is null"},
			{`context.data.a`, `{"a": null}`, false, "is null"},
			{`len(context.data.a) == 0`, `{"a": null}`, false, "is null"},
			{`context.data.a == null`, `{"a": null}`, true, ""},
			{`context.data.a == null`, `{"a": 1}`, false, "is false"},
			{`context.data.a != null`, `{"a": 1}`, true, ""},
			{`context.data.a == null`, `{}`, false, "is absent"},
			{`context.data.a != _|_`, `{"a": null}`, false, "is false"},
			{`context.data.a == _|_`, `{"a": null}`, true, ""},
			{`context.data.a == null && context.data.a == _|_`, `{"a": null}`, true, ""},
			{`strings.HasPrefix(context.data.a, "x")`, `{"a": null}`, false, "is null"},
			{`len([for c in context.data.l if c.a != "x" {c}]) == 1`, `{"l": [{"a": null}, {"a": "y"}, {}]}`, true, ""},
			{`len([for c in context.data.l if !(c.a == "x") {c}]) == 1`, `{"l": [{"a": null}, {"a": "y"}, {}]}`, true, ""},
			{`len([for c in context.data.l if c.a != _|_ {c}]) == 1`, `{"l": [{"a": null}, {"a": "y"}, {}]}`, true, ""},
		},
		"first of nothing": {
			// kubevela/kubevela#6948
			{`[for c in context.data.l if c.name == "app" {c.image}][0] =~ "^reg"`, `{"l": [{"name": "web", "image": "nginx"}]}`, false, "refers to an absent element"},
			{`[for c in context.data.l if c.name == "app" {c.image}][0] =~ "^reg"`, `{"l": [{"name": "app", "image": "reg/x"}]}`, true, ""},
			{`[for c in context.data.l if c.name == "app" {c.image}][0] =~ "^reg"`, `{"l": []}`, false, "absent element"},
			{`[for c in context.data.l if c.name == "app" {c.image}][0] =~ "^reg"`, `{}`, false, "context.data.l is absent"},
			{`[for c in context.data.l if c.name == "app" {c.image}][0] == "a" || true`, `{"l": []}`, true, ""},
			{`(*[for c in context.data.l if c.n == 1 {c.v}][0] | "none") == "none"`, `{"l": []}`, true, ""},
		},
		"equality of kinds": {
			// kubeovn/kube-ovn#162: a port that is a name
			{`context.data.port == 8080`, `{"port": "http"}`, false, "is false"},
			{`context.data.port == 8080`, `{"port": 8080}`, true, ""},
			{`context.data.port != 8080`, `{"port": "http"}`, true, ""},
			{`!(context.data.port == 8080)`, `{"port": "http"}`, true, ""},
			{`context.data.max == 1 || context.data.max == "50%"`, `{"max": "50%"}`, true, ""},
			{`context.data.a == "true"`, `{"a": true}`, false, "is false"},
			{`context.data.a == []`, `{"a": {}}`, false, "is false"},
			{`context.data.a == {b: 1}`, `{"a": {"b": 1}}`, true, ""},
			{`context.data.a != context.data.b`, `{"a": {"x": [1]}, "b": {"x": [2]}}`, true, ""},
			{`context.data.a == context.data.b`, `{"a": {"x": [1]}, "b": {"x": [1]}}`, true, ""},
			{`context.data.n == 3`, `{"n": 3.0}`, true, ""},
			{`list.Contains([for p in context.data.l if p.port == 80 {p.name}], "web")`, `{"l": [{"port": "http", "name": "x"}, {"port": 80, "name": "web"}]}`, true, ""},
			// kubernetes/website#40525: an int-or-string field of either kind
			{`context.data.size == "100%" || context.data.size == 1000`, `{"size": 1000}`, true, ""},
		},
		"order of kinds": {
			{`context.data.port > 1024`, `{"port": "http"}`, false, "wrong type"},
			{`context.data.port > 1024 || context.data.name == "x"`, `{"port": "http", "name": "x"}`, true, ""},
			{`!(context.data.port > 1024)`, `{"port": "http"}`, false, "wrong type"},
			{`context.data.a =~ "x"`, `{"a": 1}`, false, "wrong type"},
			{`context.data.a.b == 1`, `{"a": "text"}`, false, "wrong type"},
			{`context.data.a`, `{"a": "text"}`, false, "is not a boolean"},
			{`len(context.data.a) > 1`, `{"a": 5}`, false, "wrong type"},
			{`1 / context.data.a > 1`, `{"a": 0}`, false, "division by zero"},
			{`strconv.Atoi(context.data.a) > 1`, `{"a": "x"}`, false, "invalid function arguments"},
			{`len([for p in context.data.l if p > 10 {p}]) == 1`, `{"l": ["http", 80, null, {}]}`, true, ""},
		},
		"default": {
			// fabric8io/kubernetes-client#4009, kubernetes/kubernetes#63019: a 0 that is left out
			{`(*context.data.status.readyReplicas | 0) == 0`, `{"status": {"replicas": 1}}`, true, ""},
			{`(*context.data.status.readyReplicas | 0) == 0`, `{"status": {"readyReplicas": 1}}`, false, "is false"},
			{`(*context.data.status.readyReplicas | 0) == 0`, `{}`, true, ""},
			{`context.data.status.replicas != (*context.data.status.readyReplicas | 0)`, `{"status": {"replicas": 1}}`, true, ""},
			// observeinc/helm-charts#420
			{`(*context.data.status.readyReplicas | 0) == context.data.spec.replicas`, `{"spec": {"replicas": 0}, "status": {}}`, true, ""},
			{`(*context.data.a | 0) == 0`, `{"a": null}`, true, ""},
			{`(*context.data.a.b | "none") == "none"`, `{"a": "text"}`, true, ""},
			{`len([for c in context.data.l if (*c.restarts | 0) == 0 {c}]) == 3`, `{"l": [{"restarts": null}, {}, {"restarts": 0}, {"restarts": 1}]}`, true, ""},
		},
		"loop over elements of different shape": {
			// cel-expr/cel-spec#426
			{`len([for x in context.data.a if x.b == 1 {x}]) == 1`, `{"a": [{"b": 1, "c": [1, 2, 3]}, {"b": 2}, {"c": [0]}]}`, true, ""},
			{`len([for x in context.data.a if x.b == 3 {x}]) == 0`, `{"a": [{"b": 1, "c": [1, 2, 3]}, {"b": 2}, {"c": [0]}]}`, true, ""},
			{`len([for x in context.data.a if x.b == 1 || x.d == "bar" {x}]) == 2`, `{"a": [{"b": 1}, {"d": "bar"}, {"c": [0]}]}`, true, ""},
			{`len([for x in context.data.a if !(x.b == 1 && x.d == "bar") {x}]) == 1`, `{"a": [{"b": 1, "d": "bar"}, {"d": "foo"}, {"d": "bar"}]}`, true, ""},
			{`len([for c in context.data.l for p in c.ports if p == 80 {c}]) == 1`, `{"l": [{"name": "a"}, {"ports": null}, {"ports": [80, 81]}]}`, true, ""},
			{`list.Contains([for c in context.data.l if c.ready {c.name}], "b")`, `{"l": [{"name": "a"}, {"name": "b", "ready": true}, {"name": "c", "ready": "True"}]}`, true, ""},
		},
		"and, or": {
			{`and([for c in context.data.l {c.ready}])`, `{"l": [{"ready": true}, {"ready": true}]}`, true, ""},
			{`and([for c in context.data.l {c.ready}])`, `{"l": [{"ready": true}, {"ready": false}]}`, false, "is false"},
			{`and([for c in context.data.l {c.ready}])`, `{"l": [{"ready": true}, {}]}`, false, "is false"},
			{`and([for c in context.data.l {c.ready}])`, `{"l": [{"ready": true}, {"ready": null}]}`, false, "is false"},
			{`and([for c in context.data.l {c.ready}])`, `{"l": []}`, true, ""},
			{`and([for c in context.data.l {c.ready}])`, `{}`, false, "context.data.l is absent"},
			{`or([for c in context.data.l {c.ready}])`, `{"l": [{}, {"ready": true}]}`, true, ""},
			{`or([for c in context.data.l {c.ready}])`, `{"l": [{"ready": "yes"}, {"ready": false}]}`, false, "is false"},
			{`or([for c in context.data.l {c.ready}])`, `{"l": []}`, false, "is false"},
			{`!or([for c in context.data.l {c.state == "bad"}])`, `{"l": [{}, {"state": "ok"}]}`, true, ""},
			{`and([for c in context.data.l {c.type == "Ready" || c.status == "True"}])`, `{"l": [{"type": "Ready"}, {"status": "True"}]}`, true, ""},
			{`and([context.data.a == 1, context.data.b == 2])`, `{"a": 1, "b": 2}`, true, ""},
			{`and([context.data.a == 1, context.data.b == 2])`, `{"a": 1}`, false, ""},
			{`or([context.data.a == 1, context.data.b == 2])`, `{"b": 2}`, true, ""},
			{`or(context.data.flags)`, `{"flags": [false, true]}`, true, ""},
			{`and(context.data.flags)`, `{"flags": [true, 1]}`, false, "is false"},
			{`and([]) && !or([])`, `{}`, true, ""},
			{`and([for c in context.data.l {c.ready}]) == false`, `{"l": [{}]}`, true, ""},
			{`len([for p in context.data.pods if and([for c in p.containers {c.ready}]) {p}]) == 1`, `{"pods": [{"containers": [{"ready": true}]}, {"containers": [{}]}]}`, true, ""},
		},
		"quantity": {
			// helm-unittest/helm-unittest#837
			{`quantity(context.data.storage) > quantity("10Gi")`, `{"storage": "5Gi"}`, false, "is false"},
			{`quantity(context.data.storage) > quantity("10Gi")`, `{"storage": "100Gi"}`, true, ""},
			{`quantity(context.data.storage) > quantity("10Gi")`, `{"storage": "2Ti"}`, true, ""},
			{`quantity(context.data.storage) > quantity("10Gi")`, `{"storage": "900Mi"}`, false, "is false"},
			{`quantity(context.data.storage) > quantity("10Gi")`, `{"storage": "ten"}`, false, "not a quantity or a time"},
			{`quantity(context.data.storage) > quantity("10Gi")`, `{}`, false, "is absent"},
			{`quantity(context.data.storage) > quantity("10Gi")`, `{"storage": null}`, false, "is null"},
			{`quantity(context.data.cpu) == quantity("0.5")`, `{"cpu": "500m"}`, true, ""},
			// kyverno/kyverno#3103
			{`quantity(context.data.a) < quantity("1Gi")`, `{"a": "1"}`, true, ""},
			// kubescape/regolibrary#722
			{`quantity(context.data.memory) > quantity("1Gi")`, `{"memory": "2048Mi"}`, true, ""},
			// attune-io/attune#808: a number in place of a text
			{`quantity(context.data.max) > quantity("100m")`, `{"max": 4}`, true, ""},
			{`quantity(context.data.a) == 1000 && quantity("1e3") == quantity("1k") && quantity("-1.5Ki") == -1536`, `{"a": "1E3"}`, true, ""},
			{`quantity("0") == 0 && quantity("007") == 7 && quantity(".5") == quantity("500m") && quantity("1n") > 0`, `{}`, true, ""},
			{`quantity(context.data.a) == quantity("9007199254740993")`, `{"a": "9007199254740992"}`, false, "is false"},
			{`len([for c in context.data.l if quantity(c.limits.memory) > quantity("1Gi") {c}]) == 1`, `{"l": [{"limits": {"memory": "2Gi"}}, {"limits": {"memory": "512Mi"}}, {"limits": {"memory": "much"}}, {}]}`, true, ""},
		},
		"timestamp": {
			{`timestamp(context.data.t) < timestamp("2026-03-25T13:37:11+08:00")`, `{"t": "2026-03-25T05:37:10Z"}`, true, ""},
			{`timestamp(context.data.t) == timestamp("2026-03-25T13:37:11+08:00")`, `{"t": "2026-03-25T05:37:11Z"}`, true, ""},
			{`timestamp(context.data.t) > timestamp("2026-03-25T05:37:11Z")`, `{"t": "2026-03-25T05:37:11.5Z"}`, true, ""},
			{`timestamp("1970-01-01T00:00:00Z") == 0 && timestamp("2000-02-29") == 951782400 && timestamp("1969-12-31T23:59:59Z") == -1 && timestamp("2026-11-27T21:17:00Z") == 1795814220`, `{}`, true, ""},
			{`timestamp(context.timestamp) - timestamp(context.data.t) > 300`, `{"t": "1970-01-01T00:00:00Z"}`, true, ""},
			{`timestamp(context.data.t) > 0`, `{"t": "2026-13-01T00:00:00Z"}`, false, "not a quantity or a time"},
			{`timestamp(context.data.t) > 0`, `{"t": 5}`, false, ""},
			{`timestamp(context.data.t) > 0`, `{"t": "yesterday"}`, false, "not a quantity or a time"},
		},
		"times of senders": {
			// gitlab4j/gitlab4j-api#333, sourcegraph/sourcegraph-public-snapshot#37842
			{`timestamp(context.data.t) == 1656425291`, `{"t": "2022-06-28 14:08:11 UTC"}`, true, ""},
			{`timestamp(context.data.t) == 1656425291`, `{"t": "2022-06-28 16:08:11 +0200"}`, true, ""},
			// argoproj/argo-cd#12239
			{`timestamp(context.data.t) == 1656425291`, `{"t": "2022-06-28T14:08:11+0000"}`, true, ""},
			{`timestamp(context.data.t) == 1656425291`, `{"t": "2022-06-28 07:08:11 -07:00"}`, true, ""},
			{`timestamp(context.data.t) == 1656425291`, `{"t": "2022-06-28 14:08:11"}`, false, "not a quantity or a time"},
			// an alert of Alertmanager that has not ended
			{`timestamp(context.data.t) < 0`, `{"t": "0001-01-01T00:00:00Z"}`, true, ""},
		},
		"version": {
			// fluxcd/flux#706, fluxcd/flux2#4599
			{`version(context.data.tag) > version("1.9.0")`, `{"tag": "v1.10.0"}`, true, ""},
			{`version(context.data.tag) > version("1.9.0")`, `{"tag": "1.9.0-rc.1"}`, false, "is false"},
			{`version(context.data.tag) > version("1.9")`, `{"tag": "1.9.1"}`, true, ""},
			{`version("1.0.0-rc.9") < version("1.0.0-rc.10") && version("1.0.0-alpha") < version("1.0.0-alpha.1") && version("1.0.0-alpha.1") < version("1.0.0-alpha.beta")`, `{}`, true, ""},
			{`version("v2") == version("2.0.0+build")`, `{}`, true, ""},
			{`version(context.data.tag) > version("1.9.0")`, `{"tag": "latest"}`, false, "not a version, a quantity or a time"},
			{`version(context.data.tag) > version("1.9.0")`, `{"tag": "1.2.3.4"}`, false, "not a version"},
			{`version(context.data.tag) > version("1.9.0")`, `{}`, false, "is absent"},
			{`version(context.data.tag) > version("1.9.0")`, `{"tag": null}`, false, "is null"},
			{`or([for t in context.data.tags {version(t) > version("2.0.0")}])`, `{"tags": ["latest", "v1.0.0", "v2.1.0"]}`, true, ""},
		},
		"duration": {
			// kyverno/kyverno#2213, kyverno/kyverno#9860
			{`time.ParseDuration(context.data.interval) >= time.ParseDuration("60s")`, `{"interval": "65s"}`, true, ""},
			{`time.ParseDuration(context.data.interval) >= time.ParseDuration("60s")`, `{"interval": "1m"}`, true, ""},
			{`time.ParseDuration(context.data.interval) >= time.ParseDuration("60s")`, `{"interval": "9s"}`, false, "is false"},
			{`time.ParseDuration(context.data.interval) >= time.ParseDuration("60s")`, `{"interval": "soon"}`, false, "invalid function arguments"},
			{`time.ParseDuration(context.data.interval) >= time.ParseDuration("60s")`, `{}`, false, "is absent"},
		},
		"of other languages": {
			// argoproj/notifications-engine#71: phase in ['Error', 'Failed']
			{`list.Contains(["Error", "Failed"], context.data.status.phase)`, `{"status": {"phase": "Failed"}}`, true, ""},
			{`list.Contains(["Error", "Failed"], context.data.status.phase)`, `{"status": {}}`, false, "is absent"},
			{`!list.Contains((*context.data.finalizers | []), "x")`, `{}`, true, ""},
			// tektoncd/triggers#1481: list.exists(x, x.name == …)
			{`or([for r in context.data.refs {r.name == "develop"}])`, `{"refs": [{"id": 1}, {"name": "develop"}]}`, true, ""},
			{`or([for r in context.data.refs {r =~ "^release/[0-9]+$"}])`, `{"refs": ["main", null, "release/7"]}`, true, ""},
			{`context.data.name =~ "(?i)^WEB-ä"`, `{"name": "web-Ä1"}`, true, ""},
			{`strings.ToLower(context.data.name) == "straße"`, `{"name": "STRAßE"}`, true, ""},
			{`regexp.FindSubmatch("^(.+):([^:/]+)$", context.data.image)[2] == "v2"`, `{"image": "registry:5000/web:v2"}`, true, ""},
			{`regexp.FindSubmatch("^(.+):([^:/]+)$", context.data.image)[2] == "v2"`, `{"image": "web"}`, false, "cannot be evaluated"},
			{`context.data.l[len(context.data.l)-1] == "c"`, `{"l": ["a", "b", "c"]}`, true, ""},
			{`mod(context.data.n, 5) == 0`, `{"n": 10}`, true, ""},
			{`(*context.data.status.phase | "") == "" || context.data.status.phase == "Failed"`, `{"status": {"phase": ""}}`, true, ""},
		},
		"exact numbers": {
			{`context.data.n == 9007199254740993`, `{"n": 9007199254740993}`, true, ""},
			{`context.data.n == 9007199254740993`, `{"n": 9007199254740992}`, false, "is false"},
			{`context.data.n == 18446744073709551616`, `{"n": 18446744073709551616}`, true, ""},
			{`context.data.n == 18446744073709551616`, `{"n": 18446744073709551615}`, false, "is false"},
			{`context.data.n == "18446744073709551616"`, `{"n": 18446744073709551616}`, false, "is false"},
		},
		"together": {
			{`!(*context.data.suspend | false)`, `{}`, true, ""},
			{`*context.data.suspend | true`, `{"suspend": false}`, false, "is false"},
			{`len((*context.data.l | [])) == 0`, `{}`, true, ""},
			{"let max = context.data.max\nmax == 1 || max == \"50%\"", `{"max": "50%"}`, true, ""},
			{"_ok: or([for c in context.data.l {c.ready}])\n_ok", `{"l": [{}, {"ready": true}]}`, true, ""},
			{"let l = [for c in context.data.l if c.ready {c}]\nlen(l) == 1", `{"l": [{}, {"ready": true}]}`, true, ""},
			{`(context.data.a > 1) == false`, `{"a": "x"}`, false, "wrong type"},
			{`[for c in context.data.l if c.type == "Ready" {c}][0].status == "True"`, `{"l": [{"type": "Ready", "status": "True"}, {"type": "X"}]}`, true, ""},
			{`[for c in context.data.l if c.type == "Ready" {c}][0].status == _|_`, `{"l": []}`, true, ""},
			{`context.data.labels[context.data.key] != "v"`, `{"labels": {"a": null}, "key": "a"}`, false, "cannot be evaluated"},
			{`context.data.labels[context.data.key] != "v"`, `{"labels": {"a": 1}, "key": "a"}`, true, ""},
			{`or([for c in context.data.l {strings.HasPrefix(c.image, "reg/")}])`, `{"l": [{"name": "x"}, {"image": "reg/x"}]}`, true, ""},
			{`or([for k, v in context.data.labels if k =~ "^app" {v == "web"}])`, `{"labels": {"app.x": "web"}}`, true, ""},
		},
		"implied imports": {
			{`strings.HasPrefix(context.data.a, "x")`, `{"a": "xy"}`, true, ""},
			{`list.Contains(context.data.l, "b") && math.Abs(context.data.n) == 3`, `{"l": ["a", "b"], "n": -3}`, true, ""},
			{`json.Unmarshal(context.data.a).b == 1`, `{"a": "{\"b\": 1}"}`, true, ""},
		},
	}
}

// documentedRules returns the rows of the table of rules in docs/filters.md. The reason is complete.
func documentedRules(t *testing.T) []rule {
	t.Helper()
	var all []rule
	for _, row := range markdown.Tables(t, "../../docs/filters.md")["rule | filter | `context.data` | result"] {
		reason, no := strings.CutPrefix(row[3], "no match: ")
		if !no && row[3] != "match" {
			t.Fatalf("docs/filters.md: got result %q, want a match or no match", row[3])
		}
		all = append(all, rule{filter: row[1], data: row[2], match: !no, reason: strings.TrimPrefix(reason, "match")})
	}
	return all
}

// Both ways to evaluate a filter obey the rules.
func TestRules(t *testing.T) {
	for name, table := range rules() {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			for _, r := range table {
				r.check(t, strings.Contains)
			}
		})
	}
}

// Both ways to evaluate a filter obey each row of docs/filters.md, with its reason.
func TestRules_Documented(t *testing.T) {
	rows := documentedRules(t)
	if len(rows) < 45 {
		t.Fatalf("got %d rows, want at least 45", len(rows))
	}
	for _, r := range rows {
		r.check(t, func(got, want string) bool { return got == want })
	}
}

// check evaluates r in both ways. sameReason compares the reason with that of r.
func (r rule) check(t *testing.T, sameReason func(got, want string) bool) {
	t.Helper()
	for _, way := range []string{"fast", "CUE"} {
		f, problems := Compile(r.filter, event.Trigger{Name: "t"})
		if problems != nil {
			t.Errorf("%s: %v", r.filter, problems)
			return
		}
		if way == "CUE" {
			useCUE(f)
		}
		data, err := number.UnmarshalObject([]byte(r.data))
		if err != nil {
			t.Fatal(err)
		}
		ev := event.Event{Data: data, Time: time.Unix(1_795_814_220, 0)}
		v, err := f.Match(t.Context(), ev)
		if err != nil || v.Match != r.match || !sameReason(v.Reason, r.reason) {
			t.Errorf("%s: %s with %s: got %+v, %v; want %v %q", way, r.filter, r.data, v, err, r.match, r.reason)
		}
	}
}
