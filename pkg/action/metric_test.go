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

package action_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// metricStep waits until a metric has met its condition for 5 minutes, and fails if it has not
// for 2.
const metricStep = `import ("vela/metrics", "vela/builtin")
check: metrics.#PromCheck & {$params: {query: "up", metricEndpoint: parameter.endpoint, condition: ">0", stepID: context.stepSessionID}}
fail: {
	if check.$returns.failed != _|_ {
		if check.$returns.failed == true {
			stop: builtin.#Fail & {$params: message: check.$returns.message}
		}
	}
}
wait: builtin.#ConditionalWait & {$params: {continue: check.$returns.result, message: check.$returns.message}}
parameter: endpoint: string
`

// noClient is a client that no call uses.
type noClient struct{ client.Client }

// TestRun_MetricResumes: a process goes on counting from when a condition was first met, or not
// met, in an earlier one.
func TestRun_MetricResumes(t *testing.T) {
	var value atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"` + value.Load().(string) + `"]}}`))
	}))
	defer server.Close()
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	clock := clocktesting.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	tmpl, problems := action.Parse("step/check", metricStep)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		name, values string // one for each process, a minute apart
		want         string
	}{
		{"passes", "1 1 1 1 1 1", "waits waits waits waits waits waits"},
		{"passes later", "0 1 1 1 1 1 1 1", "waits waits waits waits waits waits waits done"},
		{"fails", "1 0 0 0 0", "waits waits waits waits failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			progress := fakeProgress{}
			var got []string
			for _, v := range strings.Fields(c.values) {
				value.Store(v)
				a, problems := tmpl.Compile(action.Options{
					Executor: provider.New(provider.Options{Client: noClient{}, Egress: out, Clock: clock}), Progress: progress, Properties: map[string]any{"endpoint": server.URL},
				})
				if len(problems) > 0 {
					t.Fatal(problems)
				}
				_, err := a.Start(nil, nil)(t.Context(), event.Event{ID: c.name})
				switch _, waits := err.(interface{ WaitingSince() time.Time }); {
				case waits && strings.Contains(err.Error(), "the value is "+v):
					got = append(got, "waits")
				case err == nil:
					got = append(got, "done")
				case action.IsTerminal(err) && strings.Contains(err.Error(), "stop (builtin.fail): the value is 0"):
					got = append(got, "failed")
				default:
					t.Fatal(err)
				}
				clock.SetTime(clock.Now().Add(time.Minute))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}
