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

// Package provider contains the `vela/*` CUE packages that action templates import, and
// executes the calls of their functions.
//
// All calls pass through an Executor, so that they can be executed, recorded, or
// replaced by fakes in tests. Calls never use clients or configuration of the process.
package provider

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"cuelang.org/go/cue"
	"github.com/go-logr/logr"
	cuexruntime "github.com/kubevela/pkg/cue/cuex/runtime"
	wfconfig "github.com/kubevela/workflow/pkg/config"
	"github.com/kubevela/workflow/pkg/cue/process"
	"github.com/kubevela/workflow/pkg/providers/builtin"
	"github.com/kubevela/workflow/pkg/providers/config"
	"github.com/kubevela/workflow/pkg/providers/legacy"
	"github.com/kubevela/workflow/pkg/providers/metrics"
	"github.com/kubevela/workflow/pkg/providers/time"
	providertypes "github.com/kubevela/workflow/pkg/providers/types"
	"github.com/kubevela/workflow/pkg/providers/util"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/velaql/functions"
)

// Call is one call of a provider function.
type Call struct {
	// Provider and Do identify the function, such as "kube" and "patch".
	Provider, Do string
	// Path is the path of the call in the template, such as "patches[0]".
	Path string
	// Params are the call's parameters as decoded JSON: its `$params`, or all of its
	// fields for `vela/op`, and for `vela/ql` without `$params`.
	Params map[string]any
	// HandlesErr is set if the template refers to the call's `$returns.err`, so that a
	// failed read is a result, not an error.
	HandlesErr bool
	// Value is the call as a CUE value. It must not be used after Execute returns.
	Value cue.Value
}

// Result contains the fields that are added to the call, as decoded JSON: `$returns`
// or, for `vela/op` and for `vela/ql` without `$params`, any fields.
type Result map[string]any

// Executor executes calls. It is safe for concurrent use.
type Executor interface {
	Execute(ctx context.Context, call Call) (Result, error)
}

// Package is a CUE package that templates can import.
type Package struct {
	// Path is the import path, such as "vela/kube".
	Path string
	// Source is the CUE source.
	Source string
}

// Packages returns the packages that templates can import, by import path.
func Packages() map[string]Package {
	packages := map[string]Package{}
	for name, source := range map[string]string{
		"kube":    kubeSource,
		"http":    httpSource,
		"email":   emailSource,
		"metrics": metrics.GetTemplate(),
		"time":    time.GetTemplate(),
		"util":    util.GetTemplate(),
		"builtin": builtin.GetTemplate(),
		"config":  config.GetTemplate(),
		"op":      legacySource(),
		"ql":      functions.Source(),
		"query":   functions.Source(),
	} {
		path := cuexruntime.VelaPrefix + name
		packages[path] = Package{Path: path, Source: source}
	}
	return packages
}

// legacySource returns the CUE of `vela/op`, changed so that the response is not a
// required parameter, and without the reference to a workflow step.
func legacySource() string {
	return strings.NewReplacer("\n\tresponse: {", "\n\tresponse?: {", "\n\tstepID: context.stepSessionID", "").Replace(legacy.GetLegacyTemplate())
}

// Options configure an Executor.
type Options struct {
	// Client accesses the cluster. All calls use its identity and field manager.
	Client client.Client
	// Clusters returns the client of a joined cluster. If it is nil, calls for joined
	// clusters fail.
	Clusters func(ctx context.Context, cluster string) (client.Client, error)
	// Namespace is the namespace of the Secrets that calls refer to, which is the
	// trigger's. Defaults to "default".
	Namespace string
	// Egress sends requests to servers other than the API server. Defaults to a client
	// with the zero AddressPolicy.
	Egress *egress.Client
	// Clock defaults to the system clock.
	Clock clock.PassiveClock
}

// New returns an Executor that executes calls with the given options.
func New(o Options) Executor {
	if o.Egress == nil {
		o.Egress = egress.NewClient(egress.AddressPolicy{})
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	fns := map[string]map[string]cuexruntime.ProviderFn{
		"time":    time.GetProviders(),
		"util":    util.GetProviders(),
		"builtin": builtin.GetProviders(),
		"config":  config.GetProviders(),
		"op":      legacy.GetLegacyProviders(),
	}
	return &executor{
		options: o,
		http:    newHTTPProvider(o),
		fns:     fns,
		configs: wfconfig.NewK8sFactory(o.Client),
	}
}

type executor struct {
	options Options
	http    *httpProvider
	fns     map[string]map[string]cuexruntime.ProviderFn
	configs wfconfig.Factory
}

// Execute implements Executor. A panic of a provider is an error that wraps a
// *panicerr.Error.
func (e *executor) Execute(ctx context.Context, call Call) (Result, error) {
	result, err := panicerr.Call(func() (Result, error) { return e.execute(ctx, call) })
	if p := (*panicerr.Error)(nil); errors.As(err, &p) {
		return nil, fmt.Errorf("provider %s.%s: %w", call.Provider, call.Do, err)
	}
	return result, err
}

func (e *executor) execute(ctx context.Context, call Call) (result Result, err error) {
	cl := e.options.Client
	if cluster := str(call.Params, "cluster"); cluster != "" && cluster != "local" {
		if e.options.Clusters == nil {
			return nil, &ParamError{Path: "cluster", Message: fmt.Sprintf("cannot use cluster %q: only the worker's own cluster is available", cluster)}
		}
		if cl, err = e.options.Clusters(ctx, cluster); err != nil {
			return nil, err
		}
	}
	switch call.Provider + "." + call.Do {
	case "http.do":
		response, err := e.http.do(ctx, call.Params)
		return call.resultOrFailure(ctx, response, err)
	case "op.do":
		response, err := e.http.do(ctx, call.Params)
		if err != nil {
			return nil, err
		}
		return Result{"response": response}, nil
	case "email.send", "op.send":
		return call.resultOrFailure(ctx, map[string]any{}, emailProvider{e.options}.send(ctx, call.Params))
	case "op.read", "op.list":
		return kube{client: cl}.legacy(ctx, call)
	case "metrics.promCheck", "op.promCheck":
		return nil, &FailedError{Message: "an action cannot watch a metric over time; start a workflow instead"}
	}
	switch call.Provider {
	case "kube":
		return kube{client: cl}.execute(ctx, call)
	case "query":
		list, err := functions.Querier{Client: cl, Clusters: e.options.Clusters}.Do(ctx, call.Do, call.Params)
		if call.Value.LookupPath(cue.ParsePath("$params")).Exists() {
			return call.resultOrErr(map[string]any{"list": list}, err)
		}
		return call.legacyResultOrErr(map[string]any{"list": list}, err)
	}
	fn := e.fns[call.Provider][call.Do]
	if fn == nil {
		return nil, fmt.Errorf("no function %q in provider %q", call.Do, call.Provider)
	}
	step := &step{}
	value, err := fn.Call(e.runtime(ctx, cl, step), call.Value)
	if err != nil {
		return nil, step.toError(err)
	}
	if step.message != "" {
		logr.FromContextOrDiscard(ctx).Info("template message", "call", call.Path, "message", step.message)
	}
	return decode(value)
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

// IsRead reports whether a call has no side effects, so that it can be repeated.
func IsRead(c Call) bool {
	switch c.Provider + "." + c.Do {
	case "kube.get", "kube.wait", "kube.read", "kube.list", "op.read", "op.list", "config.read", "config.list":
		return true
	}
	return c.Provider == "time" || c.Provider == "util" || c.Provider == "query"
}

// HasFailed reports whether r is the failure of a call that sets keepGoing.
func HasFailed(r Result) bool {
	returns, _ := r["$returns"].(map[string]any)
	return str(returns, failureField) != ""
}

// ImportPaths returns the sorted import paths of packages.
func ImportPaths(packages map[string]Package) []string {
	names := make([]string, 0, len(packages))
	for n := range packages {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
