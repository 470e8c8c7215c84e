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
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"

	"cuelang.org/go/cue"
	"github.com/go-logr/logr"
	"github.com/kubevela/workflow/pkg/cue/process"
	providertypes "github.com/kubevela/workflow/pkg/providers/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/velaql/functions"
)

// function is an entry of the table of functions.
type function struct {
	run runFunc
	// errorField is the field of the result with the error, if the call handles it;
	// empty if calls cannot.
	errorField string
	// read is set if calls have no side effects, so that they can be repeated.
	read bool
	// inViews reports whether views can make the call; nil if they cannot.
	inViews func(Call) bool
	// secret is set if all values of results may be those of a Secret.
	secret bool
	// external is set if calls have an effect that is not a write of the call's client.
	external bool
	// sent is set if calls send something to another server than the API server.
	sent bool
	// streak is set if calls depend on Call.Streak.
	streak bool
	// message is set if calls only tell, fail or wait.
	message bool
	// comments is set if calls depend on the comments in Call.Value.
	comments bool
	// refusal says why an action cannot make the call; empty if it can.
	refusal string
	// rights returns the rights that a call needs; nil if it needs none.
	rights rightsFunc
}

// runFunc executes a call with e and the client of the call's cluster.
type runFunc func(ctx context.Context, e *executor, c client.Client, call Call) (Result, error)

const (
	// errField is the field with the error of a call whose template refers to it.
	errField = "err"
	// failureField is the field with the error of a call that sets keepGoing.
	failureField = "failure"
)

// lookup is the table of functions. Functions without an entry are those of the
// workflow; some do not exist.
func lookup(call Call) function {
	switch call.Provider + "." + call.Do {
	case "kube.get":
		return function{run: get, read: true, inViews: always, rights: to("get")}
	case "kube.wait":
		return function{run: wait, read: true, inViews: always, rights: to("get")}
	case "kube.read", "op.read":
		return function{run: read, errorField: errField, read: true, inViews: always, rights: readRights}
	case "kube.list", "op.list":
		return function{run: list, errorField: errField, read: true, inViews: always, rights: listRights}
	case "kube.delete":
		return function{run: remove, errorField: errField, rights: deleteRights}
	case "kube.patch":
		return function{run: patch, comments: call.Params["resource"] == nil, rights: patchRights}
	case "op.patch":
		return function{run: patchValue, comments: true, rights: patchRights}
	case "op.patch-k8s-object", "util.patch-k8s-object":
		return function{run: patchObject, read: true, inViews: always, comments: true}
	case "kube.apply":
		return function{run: apply, rights: applyRights}
	case "kube.apply-in-parallel":
		return function{run: workflow, rights: applyRights}
	case "op.apply", "op.apply-in-parallel":
		return function{run: applyLegacy, rights: applyRights}
	case "op.delete":
		return function{run: workflow, rights: deleteRights}
	case "kube.create":
		return function{run: create, rights: to("create")}
	case "http.do":
		return function{run: sendRequest, errorField: failureField, inViews: isSafe, external: true, sent: true, rights: secretRights}
	case "op.do":
		return function{run: sendRequest, inViews: isSafe, external: true, sent: true}
	case "email.send", "op.send":
		return function{run: sendEmail, errorField: failureField, external: true, sent: true, rights: secretRights}
	case "metrics.promCheck", "op.promCheck":
		return function{run: checkMetric, read: true, sent: true, streak: true}
	case "multicluster.list-clusters", "op.list-clusters":
		return function{run: listClusters, read: true, rights: clusterRights}
	case "builtin.suspend", "op.suspend":
		return function{run: refuse, refusal: "an action cannot be suspended; start a workflow instead, or wait for an object with kube.#Wait"}
	case "builtin.var", "op.var":
		return function{run: refuse, refusal: "an action has no variables; refer to $returns of a call, or to context.results of an earlier action"}
	case "builtin.wait", "op.wait": // the workflow's would suspend the step
		return function{run: waitForCondition, read: true, message: true}
	case "query.view": // views must not be nested
		return function{run: view, read: true, rights: viewRights}
	case "config.read", "config.list":
		return function{run: workflow, read: true, secret: true, rights: configRights}
	case "config.create", "config.delete", "op.create-config", "op.read-config", "op.list-config", "op.delete-config":
		return function{run: workflow, secret: true, external: true, rights: configRights}
	case "builtin.message", "op.message", "op.string", "op.date", "op.timestamp":
		return function{run: workflow, inViews: always, message: true}
	case "op.log", "util.log":
		return function{run: log, inViews: always, message: true}
	}
	switch call.Provider {
	case "oam", "multicluster", "terraform":
		return function{run: refuse, refusal: "an action cannot render an Application, which KubeVela's controller does; change the Application instead, which deploys it"}
	case "query":
		return function{run: query, errorField: errField, read: true, inViews: always, rights: viewRights}
	case "time", "util":
		return function{run: workflow, read: true, inViews: always}
	case "builtin":
		return function{run: workflow, message: true}
	}
	return function{run: workflow}
}

// IsRead reports whether a call has no side effects, so that it can be repeated.
func IsRead(c Call) bool { return lookup(c).read }

// HasEffect reports whether a call can change something, or send something.
func HasEffect(c Call) bool {
	f := lookup(c)
	return !f.read && !f.message
}

// IsSent reports whether a call sends something to another server than the API server.
func IsSent(c Call) bool { return lookup(c).sent }

// IsInViews reports whether views can make a call: it has no side effects and does not
// read configs, which are stored in Secrets.
func IsInViews(c Call) bool {
	f := lookup(c)
	return f.inViews != nil && f.inViews(c)
}

// HasStreak reports whether a call depends on its Streak.
func HasStreak(c Call) bool { return lookup(c).streak }

// HasComments reports whether a call depends on the comments in its Value, which say how to
// patch.
func HasComments(c Call) bool { return lookup(c).comments }

// Refusal returns why an action cannot make a call; empty if it can.
func Refusal(c Call) string { return lookup(c).refusal }

// ReturnsSecret reports whether all values of a call's result may be those of a Secret,
// in which configs are stored.
func ReturnsSecret(c Call) bool { return lookup(c).secret }

func always(Call) bool { return true }

// IsWait reports whether a call waits for a condition.
func IsWait(c Call) bool { return c.Do == "wait" && (c.Provider == "builtin" || c.Provider == "op") }

// IsRepeatable reports whether a call is made again when a step waits: it reads, also by a
// request to another server, so that its result may have changed.
func IsRepeatable(c Call) bool {
	f := lookup(c)
	return f.read || f.external && f.inViews != nil && f.inViews(c)
}

// isSafe reports whether a request has no side effects.
func isSafe(c Call) bool {
	method := str(c.Params, "method")
	return method == http.MethodGet || method == http.MethodHead
}

// handlesError reports whether the error of a call is part of its result.
func (f function) handlesError(ctx context.Context, call Call) bool {
	switch f.errorField {
	case errField:
		return call.HandlesErr
	case failureField:
		keepGoing, _ := call.Params["keepGoing"].(bool)
		return keepGoing && ctx.Err() == nil
	}
	return false
}

// failure returns the result of a call with an error that it handles.
func (f function) failure(call Call, text string) Result {
	fields := map[string]any{f.errorField: text}
	if f.errorField == errField {
		return call.returns(fields)
	}
	return Result{"$returns": fields}
}

// workflow executes calls with a function of the workflow.
func workflow(ctx context.Context, e *executor, c client.Client, call Call) (Result, error) {
	fn := e.workflow[call.Provider][call.Do]
	if fn == nil {
		return nil, fmt.Errorf("no function %q in provider %q", call.Do, call.Provider)
	}
	if call.Provider == "kube" && call.Params["value"] == nil {
		return nil, &ParamError{Path: "value", Message: "is required"}
	}
	step := &step{}
	value, err := fn.Call(e.runtime(ctx, c, step), call.cue())
	if err != nil {
		return nil, step.toError(err)
	}
	if step.message != "" {
		_, secrets := redact.Begin(ctx)
		logr.FromContextOrDiscard(ctx).Info("template message", "call", call.Path, "message", secrets.Text(step.message))
	}
	result, err := decode(value)
	if call.Legacy { // its parameters are in it, in which bytes are text
		maps.DeleteFunc(result, func(name string, v any) bool { return reflect.DeepEqual(v, call.Params[name]) })
	}
	return result, err
}

// applyLegacy is the workflow's function of `vela/kube`. That of `vela/op` fails if the API server
// adds to a list in the object, since the result has the name of the parameter.
func applyLegacy(ctx context.Context, e *executor, c client.Client, call Call) (Result, error) {
	call.Provider, call.Legacy, call.Value = "kube", false, cue.Value{}
	result, err := workflow(ctx, e, c, call)
	if err != nil {
		return nil, err
	}
	returned, _ := result["$returns"].(map[string]any)
	return Result(returned), nil
}

// log writes the parameter data to the log, at the verbosity level. The parameter source is
// about the steps of workflows, and has no effect.
func log(ctx context.Context, _ *executor, _ client.Client, call Call) (Result, error) {
	text, ok := call.Params["data"].(string)
	if !ok && call.Params["data"] != nil {
		data, err := json.Marshal(call.Params["data"])
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	level, _ := call.Params["level"].(int64)
	_, secrets := redact.Begin(ctx)
	logr.FromContextOrDiscard(ctx).V(int(level)).Info("template log", "call", call.Path, "data", secrets.Text(text))
	return Result{}, nil
}

// runtime returns a context with the values that the workflow providers read from it,
// so that they do not fall back to the client of the process.
func (e *executor) runtime(ctx context.Context, c client.Client, step *step) context.Context {
	ctx = context.WithValue(ctx, providertypes.KubeClientKey, c)
	ctx = context.WithValue(ctx, providertypes.KubeHandlersKey, newHandlers())
	return providertypes.WithRuntimeParams(ctx, providertypes.RuntimeParams{
		Action:         step,
		ProcessContext: process.NewContext(process.ContextData{Namespace: e.options.Namespace, Ctx: ctx}),
		ConfigFactory:  e.configs,
	})
}

// decode returns the fields of an executed call without its parameters.
func decode(value cue.Value) (Result, error) {
	data, err := value.MarshalJSON()
	if err != nil {
		return nil, errors.New("the provider returned no valid value")
	}
	result, err := number.UnmarshalObject(data)
	if err != nil {
		return nil, err
	}
	delete(result, "$params")
	return result, nil
}

func query(ctx context.Context, e *executor, c client.Client, call Call) (Result, error) {
	list, err := functions.Querier{Client: c, Clusters: e.options.Clusters}.Do(ctx, call.Do, call.Params)
	if err != nil {
		return nil, err
	}
	return call.returns(map[string]any{"list": list}), nil
}

func view(ctx context.Context, e *executor, _ client.Client, call Call) (Result, error) {
	if e.options.View == nil {
		return nil, &FailedError{Message: "views are not available"}
	}
	value, err := e.options.View(ctx, e, call.Params)
	if err != nil {
		return nil, err
	}
	return Result{"$returns": map[string]any{"value": value}}, nil
}

func refuse(_ context.Context, _ *executor, _ client.Client, call Call) (Result, error) {
	return nil, &FailedError{Message: Refusal(call)}
}
