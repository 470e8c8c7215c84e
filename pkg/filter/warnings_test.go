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
		`context.data.tag == "1.9.0"`:                  "",
		`quantity(context.data.a) > quantity("10Gi")`:  "",
		`context.data.cpu == "500m"`:                   "",
		`context.data.name > "web"`:                    "",
		`context.data.n > 10`:                          "",
	} {
		if _, problems := Compile(text, event.TriggerRef{}); problems != nil {
			t.Errorf("%s: %v", text, problems)
		}
		got := Warnings(text).Error()
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
