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

package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"cuelang.org/go/cue/cuecontext"
	wfcontext "github.com/kubevela/workflow/pkg/context"
	"github.com/kubevela/workflow/pkg/cue/model"
	"github.com/kubevela/workflow/pkg/cue/process"
	"github.com/kubevela/workflow/pkg/providers/metrics"
	providertypes "github.com/kubevela/workflow/pkg/providers/types"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
)

// prometheus is a server that answers instant queries. It reads answer at each query.
type prometheus struct {
	*httptest.Server
	status  int
	answer  string
	queries []string
}

func newPrometheus(t *testing.T) *prometheus {
	t.Helper()
	p := &prometheus{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.queries = append(p.queries, r.Method+" "+r.URL.Path+" "+r.FormValue("query"))
		w.Header().Set("Content-Type", "application/json")
		if p.status != 0 {
			w.WriteHeader(p.status)
		}
		_, _ = w.Write([]byte(p.answer))
	}))
	t.Cleanup(p.Close)
	return p
}

// vector returns an answer with values.
func vector(values ...string) string {
	var samples []string
	for _, v := range values {
		samples = append(samples, fmt.Sprintf(`{"metric":{},"value":[1678701380.73,%q]}`, v))
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(samples, ",") + `]}}`
}

func metricCall(provider, endpoint, condition string) Call {
	return Call{Provider: provider, Do: "promCheck", Legacy: provider == "op", Streak: &Streak{}, Params: map[string]any{
		"query": "up", "metricEndpoint": endpoint, "condition": condition, "duration": "5m", "failDuration": "2m",
	}}
}

// TestMetric_Durations: a check passes once its condition was met for long enough, and fails once
// it was not. Each change begins anew.
func TestMetric_Durations(t *testing.T) {
	server, clock := newPrometheus(t), newClock()
	for _, provider := range []string{"metrics", "op"} {
		call := metricCall(provider, server.URL, ">=0.95")
		for i, c := range []struct {
			value          string
			after          time.Duration
			result, failed bool
			message        string
		}{
			{"1", 0, false, false, `the value is 1, and meets ">=0.95": for 0s of 5m0s`},
			{"0.96", 5 * time.Minute, false, false, `the value is 0.96, and meets ">=0.95": for 5m0s of 5m0s`},
			{"0.5", time.Second, false, false, `the value is 0.5, and does not meet ">=0.95": for 0s of 2m0s`},
			{"0.5", time.Minute, false, false, `the value is 0.5, and does not meet ">=0.95": for 1m0s of 2m0s`},
			{"0.95", time.Hour, false, false, `the value is 0.95, and meets ">=0.95": for 0s of 5m0s`},
			{"1e3", 301 * time.Second, true, false, `the value is 1000, and meets ">=0.95": for 5m1s of 5m0s`},
			{"0", time.Hour, false, false, `the value is 0, and does not meet ">=0.95": for 0s of 2m0s`},
			{"-1", 121 * time.Second, false, true, `the value is -1, and does not meet ">=0.95": for 2m1s of 2m0s`},
		} {
			clock.SetTime(clock.Now().Add(c.after))
			server.answer = vector(c.value)
			got, err := execute(t, clock, call)
			if err != nil {
				t.Fatal(err)
			}
			if returns, ok := got["$returns"].(map[string]any); ok && provider == "metrics" {
				got = returns
			}
			if got["result"] != c.result || got["failed"] != c.failed || got["message"] != c.message {
				t.Errorf("%s %d: got %v, want %+v", provider, i, got, c)
			}
		}
	}
	if server.queries[0] != "POST /api/v1/query up" {
		t.Errorf("query %s", server.queries[0])
	}
}

// TestMetric_Errors: what no time mends is permanent.
func TestMetric_Errors(t *testing.T) {
	for _, c := range []struct {
		name, answer, param, value string
		status                     int
		path, want                 string
	}{
		{name: "endpoint", param: "metricEndpoint", value: "prometheus:9090", path: "metricEndpoint", want: "invalid URL"},
		{name: "duration", param: "duration", value: "long", path: "duration", want: `invalid duration "long"`},
		{name: "failDuration", param: "failDuration", value: "-1s", path: "failDuration", want: `invalid duration "-1s"`},
		{name: "no condition", param: "condition", value: "", path: "condition", want: "must compare"},
		{name: "condition of strings", param: "condition", value: `> 0 || "a"*3000000000 == ""`, path: "condition", want: "must compare"},
		{name: "condition of lists", param: "condition", value: `> len([for x in [1] {x}])`, path: "condition", want: "must compare"},
		{name: "condition of fields", param: "condition", value: ">0, x: 1", path: "condition", want: "must compare"},
		{name: "long condition", param: "condition", value: ">0" + strings.Repeat(" ", maxCondition), path: "condition", want: "must compare"},
		{name: "bad query", status: 400, answer: `{"status":"error","errorType":"bad_data","error":"parse error"}`, path: "query", want: "parse error"},
		{name: "matrix", answer: `{"status":"success","data":{"resultType":"matrix","result":[]}}`, path: "query", want: "the result is a matrix"},
		{name: "timeout", status: 503, answer: `{"status":"error","errorType":"timeout","error":"too slow"}`, want: "the Prometheus server: timeout: too slow"},
		{name: "no value", answer: vector(), want: "the query returns 0 values"},
		{name: "two values", answer: vector("1", "2"), want: "the query returns 2 values"},
		{name: "NaN", answer: vector("NaN"), want: `the value of the query is "NaN"`},
		{name: "infinite", answer: vector("+Inf"), want: `the value of the query is "+Inf"`},
		{name: "another server", status: 404, answer: "not found", want: "the server is no Prometheus: status 404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newPrometheus(t)
			server.status, server.answer = c.status, c.answer
			if c.answer == "" {
				server.answer = vector("1")
			}
			call := metricCall("metrics", server.URL, ">0")
			if c.param != "" {
				call.Params[c.param] = c.value
			}
			_, err := execute(t, newClock(), call)
			var param *ParamError
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &param) != (c.path != "") || param != nil && param.Path != c.path {
				t.Errorf("got %v, want %q of parameter %q", err, c.want, c.path)
			}
		})
	}
}

// TestMetric_Guard: the query is sent to addresses that the policy allows alone, with the limit
// of responses.
func TestMetric_Guard(t *testing.T) {
	server := newPrometheus(t)
	server.answer = vector(strings.Repeat("1", egress.MaxBody))
	var failed *FailedError
	if _, err := execute(t, newClock(), metricCall("metrics", server.URL, ">0")); !errors.As(err, &failed) || !strings.Contains(err.Error(), "response exceeds") {
		t.Errorf("large response: %v", err)
	}
	if _, err := New(Options{}).Execute(t.Context(), metricCall("metrics", server.URL, ">0")); !errors.As(err, &failed) || len(server.queries) != 1 {
		t.Errorf("denied address: %v, queries %v", err, server.queries)
	}
}

// TestMetric_Get: a server that refuses POST gets the query in the URL.
func TestMetric_Get(t *testing.T) {
	var query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		query = r.URL.Path + "?" + r.URL.RawQuery
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}`))
	}))
	defer server.Close()
	got, err := execute(t, newClock(), metricCall("op", server.URL+"/prefix", "== 3"))
	if err != nil || query != "/prefix/api/v1/query?query=up" || !strings.HasPrefix(str(got, "message"), `the value is 3, and meets "== 3"`) {
		t.Errorf("got %v, %v, query %s", got, err, query)
	}
}

// workflowMemory is what a workflow remembers, in memory.
type workflowMemory struct {
	wfcontext.Context
	values map[string]string
}

func (m workflowMemory) GetMutableValue(path ...string) string {
	return m.values[strings.Join(path, ".")]
}

func (m workflowMemory) SetMutableValue(data string, path ...string) {
	m.values[strings.Join(path, ".")] = data
}

// TestMetric_Workflow: what a check finds is what the workflow's function finds, which does not
// notice that a failure lasts.
func TestMetric_Workflow(t *testing.T) {
	server := newPrometheus(t)
	store := workflowMemory{values: map[string]string{}}
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	defer out.Close()
	ours := New(Options{Egress: out})
	for _, condition := range []string{">=3", "<3", "== 3 && true", "!=3", ">2 || false"} {
		call := metricCall("metrics", server.URL, condition)
		call.Params["duration"] = "0s"
		data := process.NewContext(process.ContextData{Ctx: context.Background()})
		data.PushData(model.ContextStepSessionID, condition)
		for _, value := range []string{"3", "3", "2.5", "4e0", "1e+06"} {
			server.answer = vector(value)
			want, err := metrics.PromCheck(t.Context(), &metrics.PromParams{
				Params: metrics.PromVars{
					Query: "up", MetricEndpoint: server.URL, Condition: condition, Duration: "0s", FailDuration: "2m",
				},
				RuntimeParams: providertypes.RuntimeParams{WorkflowContext: store, ProcessContext: data},
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := ours.Execute(t.Context(), call)
			if err != nil {
				t.Fatal(err)
			}
			if returns := got["$returns"].(map[string]any); returns["result"] != want.Returns.Result || returns["failed"] != want.Returns.Failed {
				t.Errorf("%s, value %s: got %v, want %+v", condition, value, returns, want.Returns)
			}
		}
	}
}

// FuzzMetric_Condition: no condition panics, or takes long.
func FuzzMetric_Condition(f *testing.F) {
	for _, condition := range []string{">=3", "== -1e3", "*1000000 > 1e10", "&& true", "/0 > 1", "> 1e999999999", `+ "a"*9`, "!= 0x10 || !false"} {
		f.Add(condition)
	}
	f.Fuzz(func(t *testing.T, condition string) {
		start := time.Now()
		met, err := meetsCondition("10", condition)
		if took := time.Since(start); took > time.Second {
			t.Errorf("%q took %s", condition, took)
		}
		if err != nil || strings.ContainsAny(condition, "\n/") {
			return
		}
		if want, err := cuecontext.New().CompileString("10 " + condition).Bool(); err != nil || met != want {
			t.Errorf("%q is %v, want %v, %v", condition, met, want, err)
		}
	})
}
