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
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/redact"
)

//go:embed metrics.cue
var metricsSource string

// maxCondition is the maximum length of the condition on a metric, in bytes.
const maxCondition = 256

// Streak is since when the result of a query has met its condition, or has not.
type Streak struct {
	Met   bool
	Since time.Time
}

// checkMetric reports whether a metric has met its condition for a duration, or has not for
// another one. It is not the workflow's function, which connects to any address, and never
// notices a failure that lasts: it does not find again when that began.
func checkMetric(ctx context.Context, e *executor, _ client.Client, call Call) (Result, error) {
	success, err := metricDuration(call, "duration")
	if err != nil {
		return nil, err
	}
	failure, err := metricDuration(call, "failDuration")
	if err != nil {
		return nil, err
	}
	value, err := e.queryMetric(ctx, call)
	if err != nil {
		return nil, err
	}
	condition := str(call.Params, "condition")
	met, err := meetsCondition(value, condition)
	if err != nil {
		return nil, err
	}
	now := e.options.Clock.Now()
	streak := call.Streak
	if streak == nil {
		streak = &Streak{}
	}
	begins := streak.Since.IsZero() || streak.Met != met
	if begins {
		*streak = Streak{Met: met, Since: now}
	}
	lasted, needed, meets := now.Sub(streak.Since), failure, "does not meet"
	if met {
		needed, meets = success, "meets"
	}
	message := fmt.Sprintf("the value is %s, and %s %q: for %s of %s", value, meets, condition, lasted.Round(time.Second), needed)
	ended := !begins && lasted > needed
	return call.returns(map[string]any{"result": ended && met, "failed": ended && !met, "message": message}), nil
}

// metricDuration returns the parameter name, a duration that is not negative.
func metricDuration(call Call, name string) (time.Duration, error) {
	d, err := time.ParseDuration(str(call.Params, name))
	if err != nil || d < 0 {
		return 0, &ParamError{Path: name, Message: fmt.Sprintf("invalid duration %q: must be a duration such as \"5m\"", str(call.Params, name))}
	}
	return d, nil
}

// queryMetric returns the value of an instant query to Prometheus.
func (e *executor) queryMetric(ctx context.Context, call Call) (string, error) {
	endpoint := parseURL(str(call.Params, "metricEndpoint"))
	if endpoint == nil {
		return "", &ParamError{Path: "metricEndpoint", Message: "invalid URL: must begin with http:// or https:// and a host"}
	}
	endpoint = endpoint.JoinPath("api", "v1", "query")
	query := url.Values{"query": {call.Scope.outgoing(str(call.Params, "query"))}}.Encode()
	r := request{executor: e, secrets: newSecretReader(ctx, e.options), credentials: redact.New(), scope: call.Scope}
	r.params = map[string]any{"method": http.MethodPost, "url": endpoint.String()}
	r.settings = map[string]any{"body": query, "header": map[string]any{"Content-Type": "application/x-www-form-urlencoded"}}
	response, err := r.send(ctx)
	if err != nil {
		return "", err
	}
	// A proxy may allow only what reads.
	if status := response["statusCode"]; status == int64(http.StatusMethodNotAllowed) || status == int64(http.StatusNotImplemented) {
		endpoint.RawQuery = query
		r.params, r.settings = map[string]any{"url": endpoint.String()}, nil
		if response, err = r.send(ctx); err != nil {
			return "", err
		}
	}
	return metricValue(response)
}

// metricResponse is the response of Prometheus to an instant query.
type metricResponse struct {
	Status, Error, ErrorType string
	Data                     struct {
		ResultType string
		Result     json.RawMessage
	}
}

// metricValue returns the number in the response of Prometheus.
func metricValue(response map[string]any) (string, error) {
	var answer metricResponse
	if err := json.Unmarshal([]byte(str(response, "body")), &answer); err != nil || answer.Status == "" {
		return "", fmt.Errorf("the server is no Prometheus: status %v, and no answer to a query", response["statusCode"])
	}
	if answer.Status != "success" {
		if answer.ErrorType == "bad_data" {
			return "", &ParamError{Path: "query", Message: answer.Error}
		}
		return "", fmt.Errorf("the Prometheus server: %s: %s", answer.ErrorType, answer.Error)
	}
	type sample [2]any
	var value sample
	switch answer.Data.ResultType {
	case "scalar":
		if err := json.Unmarshal(answer.Data.Result, &value); err != nil {
			return "", fmt.Errorf("the Prometheus server: %w", err)
		}
	case "vector":
		var all []struct{ Value sample }
		if err := json.Unmarshal(answer.Data.Result, &all); err != nil {
			return "", fmt.Errorf("the Prometheus server: %w", err)
		}
		if len(all) != 1 {
			return "", fmt.Errorf("the query returns %d values, want one: select one, such as with sum(…)", len(all))
		}
		value = all[0].Value
	default:
		return "", &ParamError{Path: "query", Message: fmt.Sprintf("the result is a %s, want one number", answer.Data.ResultType)}
	}
	text, _ := value[1].(string)
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
		return "", fmt.Errorf("the value of the query is %q, which is no number", text)
	}
	return strconv.FormatFloat(number, 'f', -1, 64), nil
}

// meetsCondition reports whether value CONDITION is true, such as 0.99 >=0.95. The condition has
// numbers and operators alone, so that evaluating it is cheap.
func meetsCondition(value, condition string) (bool, error) {
	invalid := &ParamError{Path: "condition", Message: `must compare with numbers, such as ">=0.95"`}
	if len(condition) > maxCondition {
		return false, invalid
	}
	x, err := parser.ParseExpr("condition", value+" "+condition)
	if err != nil || !isArithmetic(x) {
		return false, invalid
	}
	met, err := cuecontext.New().BuildExpr(x).Bool()
	if err != nil {
		return false, invalid
	}
	return met, nil
}

// isArithmetic reports whether x has numbers, booleans and operators alone.
func isArithmetic(x ast.Expr) bool {
	allowed := true
	ast.Walk(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			allowed = allowed && slices.Contains([]token.Token{token.INT, token.FLOAT, token.TRUE, token.FALSE}, n.Kind)
		case *ast.UnaryExpr:
			allowed = allowed && slices.Contains([]token.Token{token.ADD, token.SUB, token.NOT}, n.Op)
		case *ast.BinaryExpr:
			allowed = allowed && slices.Contains([]token.Token{
				token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.LAND, token.LOR, token.ADD, token.SUB, token.MUL, token.QUO,
			}, n.Op)
		case *ast.ParenExpr:
		default:
			allowed = false
		}
		return allowed
	}, nil)
	return allowed
}
