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

package measure_test

import (
	"encoding/json"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/expr/measure"
)

// times are the forms in which senders write one time.
func times() []string {
	return []string{
		"2022-06-28T14:08:11Z", "2022-06-28T16:08:11+02:00", "2022-06-28T14:08:11.000Z",
		// gitlab4j/gitlab4j-api#333, xanzy/go-gitlab#209
		"2022-06-28 14:08:11 UTC",
		// sourcegraph/sourcegraph-public-snapshot#37842, dora-team/fourkeys#253
		"2022-06-28 16:08:11 +0200",
		// open-telemetry/opentelemetry-collector-contrib#49941
		"2022-06-28 07:08:11 -07:00",
		// argoproj/argo-cd#12239
		"2022-06-28T14:08:11+0000",
	}
}

func TestTimestamp_Senders(t *testing.T) {
	of := measure.Timestamp.Func()
	for _, text := range times() {
		if got := of(text); got != 1656425291.0 {
			t.Errorf("%s: got %v", text, got)
		}
	}
	for _, v := range []any{"", "2022-06-28 14:08:11", "2022-06-28T14:08", "yesterday", "2022-13-01", "2022-06-28T25:00:00Z", nil, int64(5), true} {
		if got := of(v); got != nil {
			t.Errorf("%v: got %v", v, got)
		}
	}
}

// The texts of versions are in the order of the versions: semver.org, item 11, and
// fluxcd/flux2#4599 (what an identifier of letters and digits means there).
func TestVersion_Order(t *testing.T) {
	of := measure.Version.Func()
	previous := ""
	for _, text := range []string{
		"0.9", "1.0.0-0", "v1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-alpha-1", "1.0.0-beta", "1.0.0-beta.2", "v1.0.0-beta.11",
		"1.0.0-rc.1", "1.0.0-rc10", "1.0.0-rc9", "v1.0.0+build.5", "1.0.1", "1.2", "1.9.0", "v1.10.0", "v2", "10.0.0", "999999999999999999.0.0",
	} {
		got, ok := of(text).(string)
		if !ok || got <= previous {
			t.Errorf("%s: got %v, want more than %s", text, of(text), previous)
		}
		previous = got
	}
	if of("1.0") != of("v1.0.0+linux") {
		t.Error("versions that are equal differ")
	}
	for _, v := range []any{"", "latest", "1.", "1.2.3.4", "v", "1.0.0-", "1.0 ", "9999999999999999999", int64(1), nil} {
		if got := of(v); got != nil {
			t.Errorf("%v: got %v", v, got)
		}
	}
}

func TestQuantity(t *testing.T) {
	of := measure.Quantity.Func()
	for v, want := range map[any]any{
		"10Gi": 10737418240.0, "500m": 0.5, "1e3": 1000.0, ".5": 0.5, "5.": 5.0, "007": 7.0, "-1.5Ki": -1536.0, int64(4): 4.0, 1e6: 1e6, json.Number("1500"): 1500.0,
		"ten": nil, "": nil, true: nil, "1e2147483600": nil, "1.000000000000000000000000000000000000000e21": nil,
	} {
		if got := of(v); got != want {
			t.Errorf("%v: got %v, want %v", v, got, want)
		}
	}
}

// A unit that Kubernetes does not have is told apart: dynamical-org/reformatters#158 (GiB),
// kubernetes/kubernetes#35976 (mi), grafana/k6-operator#158.
func TestProblem(t *testing.T) {
	for text, want := range map[string]string{
		"6GiB":   `"6GiB" is not a quantity such as "10Gi" or "500m"; did you mean "6Gi"?`,
		"512mi":  `"512mi" is not a quantity such as "10Gi" or "500m"; did you mean "512Mi"?`,
		"10 GB":  `"10 GB" is not a quantity such as "10Gi" or "500m"; did you mean "10G"?`,
		"1.5K":   `"1.5K" is not a quantity such as "10Gi" or "500m"; did you mean "1.5k"?`,
		"a lot":  `"a lot" is not a quantity such as "10Gi" or "500m"`,
		"1.5Gi":  "",
		"-1500m": "",
	} {
		if got := measure.Quantity.Problem(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
