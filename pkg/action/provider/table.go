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
	"maps"

	"cuelang.org/go/cue"
	"github.com/go-logr/logr"
	cuexruntime "github.com/kubevela/pkg/cue/cuex/runtime"
	"github.com/kubevela/workflow/pkg/cue/process"
	"github.com/kubevela/workflow/pkg/providers/builtin"
	"github.com/kubevela/workflow/pkg/providers/config"
	wfkube "github.com/kubevela/workflow/pkg/providers/kube"
	"github.com/kubevela/workflow/pkg/providers/legacy"
	"github.com/kubevela/workflow/pkg/providers/time"
	providertypes "github.com/kubevela/workflow/pkg/providers/types"
	"github.com/kubevela/workflow/pkg/providers/util"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/velaql/functions"
)

// function executes the calls of one provider function.
type function struct {
	// run executes a call with the client of its cluster.
	run runFunc
	// errorField is the field of the result with the error, if the call handles it;
	// empty if calls cannot.
	errorField string
}

type runFunc func(ctx context.Context, c client.Client, call Call) (Result, error)

const (
	// errField is the field with the error of a call whose template refers to it.
	errField = "err"
	// failureField is the field with the error of a call that sets keepGoing.
	failureField = "failure"
)

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

// table returns all functions by provider and name, such as "kube.patch".
func (e *executor) table() map[string]function {
	all := map[string]function{}
	for provider, fns := range map[string]map[string]cuexruntime.ProviderFn{
		"kube":    wfkube.GetProviders(),
		"time":    time.GetProviders(),
		"util":    util.GetProviders(),
		"builtin": builtin.GetProviders(),
		"config":  config.GetProviders(),
		"op":      legacy.GetLegacyProviders(),
	} {
		for do, fn := range fns {
			all[provider+"."+do] = function{run: e.workflow(fn)}
		}
	}
	http := newHTTPProvider(e.options)
	email := function{emailProvider{e.options}.send, failureField}
	maps.Copy(all, map[string]function{
		"kube.get":                      {run: get},
		"kube.wait":                     {run: wait},
		"kube.read":                     {read, errField},
		"kube.list":                     {list, errField},
		"kube.delete":                   {remove, errField},
		"kube.patch":                    {run: either(patch, all["kube.patch"].run)},
		"kube.apply":                    {run: either(apply, all["kube.apply"].run)},
		"kube.apply-in-parallel":        {run: either(nil, all["kube.apply-in-parallel"].run)},
		"op.read":                       {read, errField},
		"op.list":                       {list, errField},
		"http.do":                       {http.do, failureField},
		"op.do":                         {run: http.do},
		"email.send":                    email,
		"op.send":                       email,
		"metrics.promCheck":             {run: unsupported},
		"op.promCheck":                  {run: unsupported},
		"query.view":                    {run: e.view},
		"query.listResourcesInApp":      {e.query, errField},
		"query.listAppliedResources":    {e.query, errField},
		"query.collectResources":        {e.query, errField},
		"query.collectServiceEndpoints": {e.query, errField},
		"query.searchEvents":            {e.query, errField},
	})
	return all
}

// either executes calls with a parameter `resource` with own, others with workflow.
func either(own, workflow runFunc) runFunc {
	return func(ctx context.Context, c client.Client, call Call) (Result, error) {
		if _, ok := call.Params["resource"]; ok && own != nil {
			return own(ctx, c, call)
		}
		if call.Params["value"] == nil {
			return nil, &ParamError{Path: "value", Message: "is required"}
		}
		return workflow(ctx, c, call)
	}
}

// workflow executes calls with a function of the workflow.
func (e *executor) workflow(fn cuexruntime.ProviderFn) runFunc {
	return func(ctx context.Context, c client.Client, call Call) (Result, error) {
		step := &step{}
		value, err := fn.Call(e.runtime(ctx, c, step), call.Value)
		if err != nil {
			return nil, step.toError(err)
		}
		if step.message != "" {
			_, secrets := redact.Begin(ctx)
			logr.FromContextOrDiscard(ctx).Info("template message", "call", call.Path, "message", secrets.Text(step.message))
		}
		return decode(value)
	}
}

// runtime returns a context with the values that the workflow providers read from it,
// so that they do not fall back to the client of the process.
func (e *executor) runtime(ctx context.Context, c client.Client, step *step) context.Context {
	ctx = context.WithValue(ctx, providertypes.KubeClientKey, c)
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
	var result Result
	if err := json.Unmarshal(data, &result); err != nil {
		return nil, err
	}
	delete(result, "$params")
	return result, nil
}

func (e *executor) query(ctx context.Context, c client.Client, call Call) (Result, error) {
	list, err := functions.Querier{Client: c, Clusters: e.options.Clusters}.Do(ctx, call.Do, call.Params)
	if err != nil {
		return nil, err
	}
	return call.returns(map[string]any{"list": list}), nil
}

func (e *executor) view(ctx context.Context, _ client.Client, call Call) (Result, error) {
	if e.options.View == nil {
		return nil, &FailedError{Message: "views are not available"}
	}
	value, err := e.options.View(ctx, e, call.Params)
	if err != nil {
		return nil, err
	}
	return Result{"$returns": map[string]any{"value": value}}, nil
}

func unsupported(context.Context, client.Client, Call) (Result, error) {
	return nil, &FailedError{Message: "an action cannot watch a metric over time; start a workflow instead"}
}
