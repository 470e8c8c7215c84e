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

// What people write who know another expression language is refused before any event, with
// what CUE has in its place. Nothing of it may be accepted and never match.
func TestCompile_OtherLanguages(t *testing.T) {
	for text, want := range map[string]string{
		// argoproj/notifications-engine#71, inngest/inngest#3907
		`context.data.phase in ["Error", "Failed"]`: "in CUE: list.Contains(list, value)",
		`"web" in context.data.names`:               "in CUE: list.Contains(list, value)",
		// argoproj/argo-events#2741, keephq/keep#4777
		`context.data.body startsWith "/dryrun"`:                     "in CUE: strings.HasPrefix(text, start)",
		`context.data.source.contains("prometheus")`:                 `1:21: values have no functions; in CUE: strings.Contains(text, part) or list.Contains(list, value)`,
		`"a,b".contains("a")`:                                        "values have no functions",
		`context.data.ref.exists(r, r.name == "refs/heads/develop")`: "1:18: values have no functions; in CUE: or([for x in list {condition}])",
		`or([for c in context.data.l {c.name.startsWith("web")}])`:   "values have no functions; in CUE: strings.HasPrefix(text, start)",
		// sensu/sensu-docs#1425
		`context.data.labels.indexOf("foo") >= 0`:            "values have no functions; in CUE: strings.Contains(text, part)",
		`context.data.name.foo()`:                            "values have no functions such as foo; those of CUE are in packages",
		`!context.data.name.matches("^a")`:                   `in CUE: text =~ "expression"`,
		`has(context.data.spec) && size(context.data.l) > 1`: `1:1: unknown name "has"; in CUE: value != _|_`,
		`size(context.data.l) > 1`:                           `unknown name "size"; in CUE: len(value)`,
		`context.data.a == nil`:                              `unknown name "nil"; in CUE: null, or _|_ for what is absent`,
		`context.data.ready == True`:                         `unknown name "True"; in CUE: true`,
		`context.data.a == 1 and context.data.b == 2`:        "in CUE: &&",
		`context.data.a == 1 or context.data.b == 2`:         "in CUE: ||",
		`not context.data.suspend`:                           "in CUE: !",
		`context.data.kind = "Pod"`:                          "equality is ==",
		`context.data.kind === "Pod"`:                        "equality is ==",
		`context.data.n % 5 == 0`:                            "the remainder is mod(a, b)",
		`context.data.kind == “Pod”`:                         `texts are in straight double quotes: "…"`,
		"context.data.a == 1 # only these":                   "comments begin with //",
		"# only these\ncontext.data.a == 1":                  "comments begin with //",
		`context.data.items[-1].name == "x"`:                 "1:20: an index is not negative; the last element is context.data.items[len(context.data.items)-1]",
		// argoproj-labs/argocd-notifications#307, argoproj/argo-events#1224: other roots
		`$.data.status.phase == "Failed"`:   `unknown name "$"; did you mean context?`,
		`.data.status.phase == "Failed"`:    "paths begin with context: context.data",
		`object.metadata.name == "x"`:       `unknown name "object"; did you mean context.data?`,
		`body.ref == "refs/heads/main"`:     `unknown name "body"; did you mean context.data.body?`,
		`{{ eq .data.phase "Failed" }}`:     "this is CUE, without {{ and }}",
		`context.data.items[*].name == "x"`: "in CUE: [for x in list {x.name}]",
		`context.data.name =~ /^web/`:       `a regular expression is a text: =~ "^web"`,
		"context.data.kind\u00a0== \"Pod\"": "write a blank in its place",
		`context.data.c[?(@.t=="Ready")].s`: "in CUE: [for x in list if condition {x}][0]",
		// containerd/containerd#2494, sensu/sensu-docs#1654, argoproj/argo-events#1069
		`context.data.metadata.labels.app.kubernetes.io/name == "web"`: `1:48: unknown name "name"; a name with "-", "." or "/" needs brackets and quotes: labels["example.com/my-app"]`,
		`context.data.header.content-type == "application/json"`:       `1:29: unknown name "type"; a name with`,
		// cyberark/conjur#1889, cue-lang/cue#1417
		`context.data.a == 1 | context.data.b == 2`:                     "1:21: a | b is one of two values, and no condition; write a || b",
		`context.data.a == "x" | "y"`:                                   "1:23: a | b is one of two values",
		`!(context.data.a | context.data.b)`:                            "a | b is one of two values",
		`len([for c in context.data.l if c.a == 1 | c.b == 2 {c}]) > 0`: "a | b is one of two values",
		// kubescape/regolibrary#722, kyverno/kyverno#3103
		`quantity(context.data.memory) > "10Gi"`:   `1:1: a number and a string have no order: quantity(context.data.memory) > "10Gi"; compare with quantity("10Gi")`,
		`"10Gi" == quantity(context.data.memory)`:  `a string and a number are never equal: "10Gi" == quantity(context.data.memory); compare with quantity("10Gi")`,
		`timestamp(context.data.t) < "2026-01-01"`: `compare with timestamp("2026-01-01")`,
		`len(context.data.l) == "3"`:               "a number and a string are never equal",
		`context.event.type > 1`:                   "a string and a number have no order",
		`!context.data.a == "x"`:                   "a boolean and a string are never equal",
		`context.data.name =~ 5`:                   "=~ compares with a regular expression, a string, not with a number: 5",
		// dynamical-org/reformatters#158, grafana/k6-operator#158
		`quantity(context.data.memory) > quantity("10GB")`: `1:42: "10GB" is not a quantity such as "10Gi" or "500m"; did you mean "10G"?`,
		`quantity(true) > 1`: "quantity takes a text, not a boolean: true",
		`timestamp(context.data.t) < timestamp("yesterday")`:  `"yesterday" is neither a time such as`,
		`timestamp(context.data.t) < timestamp("2026-13-01")`: `"2026-13-01" is neither a time such as`,
		`timestamp(1) < 2`: "timestamp takes a text, not a number: 1",
		`version(context.data.tag) > version("latest")`:      `"latest" is not a version such as`,
		`regexp.Match("^web-(?!canary)", context.data.name)`: "error parsing regexp: invalid or unsupported Perl syntax: `(?!`",
		`context.data.name =~ "*-prod"`:                      "missing argument to repetition operator",
	} {
		f, problems := Compile(text, event.Trigger{Name: "t"})
		if f != nil || !strings.Contains(problems.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, problems, want)
		}
	}
}
