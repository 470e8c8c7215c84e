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

// Package provider holds the `vela/*` CUE packages that action templates import,
// and executes the calls that templates make of them.
//
// Every call passes one seam, Executor: a call can be executed, recorded, or
// answered without a cluster.
package provider

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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
	"github.com/kubevela/kube-trigger/pkg/velaql/functions"
)

// Call is one call of a provider function that a template makes.
type Call struct {
	// Provider and Do name the function: "kube" and "patch".
	Provider, Do string
	// Path is where the call stands in the template: "patches[0]".
	Path string
	// Params are the call's parameters as decoded JSON: its `$params`, or all
	// of its fields for the legacy `vela/op`, and `vela/ql` without `$params`.
	Params map[string]any
	// HandlesErr says that the template looks at what went wrong itself, so
	// that a failed read is a result, not an error.
	HandlesErr bool
	// Value is the call in CUE. It belongs to the evaluation that makes the
	// call and must not be kept.
	Value cue.Value
}

// Result is what a call adds to itself, as decoded JSON: `$returns` or, for
// `vela/op` and `vela/ql` without `$params`, any fields.
type Result map[string]any

// An Executor executes calls. It is safe for concurrent use.
type Executor interface {
	Execute(ctx context.Context, call Call) (Result, error)
}

// Package is one importable package.
type Package struct {
	// Path is what a template imports: "vela/kube".
	Path string
	// Source is its CUE.
	Source string
}

// Packages returns every package that templates may import, by path.
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

// legacySource returns the CUE of `vela/op`. What a call of it is answered with is
// no parameter of it, as it is not in workflows; nor is a step of a workflow.
func legacySource() string {
	return strings.NewReplacer("\n\tresponse: {", "\n\tresponse?: {", "\n\tstepID: context.stepSessionID", "").Replace(legacy.GetLegacyTemplate())
}

// Options are what providers act with.
type Options struct {
	// Client reaches the cluster. Its identity and field manager hold for
	// every call.
	Client client.Client
	// Clusters returns the client of a joined cluster. Where it is nil, none can be
	// reached.
	Clusters func(ctx context.Context, cluster string) (client.Client, error)
	// Namespace is where calls look for what is theirs alone, such as the
	// Secret of a TLS configuration: the trigger's.
	Namespace string
	// Egress connects to all that is not the API server. Nil is one of its own,
	// which refuses what a Guard refuses by default.
	Egress *egress.Client
	// Clock tells the time; nil is the real one.
	Clock clock.PassiveClock
}

// New returns the Executor that really executes.
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

// Execute runs one call. A panic in a provider is that call's error.
func (e *executor) Execute(ctx context.Context, call Call) (result Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Call: call.Provider + "." + call.Do, Value: p, Stack: debug.Stack()}
		}
	}()
	in := e.options.Client
	if cluster := str(call.Params, "cluster"); cluster != "" && cluster != "local" {
		if e.options.Clusters == nil {
			return nil, &ParamError{Path: "cluster", Message: fmt.Sprintf("%q: only the worker's own cluster can be reached", cluster)}
		}
		if in, err = e.options.Clusters(ctx, cluster); err != nil {
			return nil, err
		}
	}
	switch call.Provider + "." + call.Do {
	case "http.do":
		answer, err := e.http.do(ctx, call.Params)
		return call.resultOrFailure(ctx, answer, err)
	case "op.do":
		answer, err := e.http.do(ctx, call.Params)
		if err != nil {
			return nil, err
		}
		return Result{"response": answer}, nil
	case "email.send", "op.send":
		return call.resultOrFailure(ctx, map[string]any{}, emailProvider{e.options}.send(ctx, call.Params))
	case "op.read", "op.list":
		return kube{client: in}.legacy(ctx, call)
	case "metrics.promCheck", "op.promCheck":
		return nil, &FailedError{Message: "a metric is watched for some time, which an action cannot do; start a workflow for that"}
	}
	switch call.Provider {
	case "kube":
		return kube{client: in}.execute(ctx, call)
	case "query":
		list, err := functions.Querier{Client: in, Clusters: e.options.Clusters}.Do(ctx, call.Do, call.Params)
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
	value, err := fn.Call(e.runtime(ctx, in, step), call.Value)
	if err != nil {
		return nil, step.toError(err)
	}
	if step.message != "" {
		logr.FromContextOrDiscard(ctx).Info("template says", "call", call.Path, "message", step.message)
	}
	return decode(value)
}

// runtime returns a context with all that the workflow's providers look for in
// it, so that none falls back on a client of the process.
func (e *executor) runtime(ctx context.Context, c client.Client, step *step) context.Context {
	ctx = context.WithValue(ctx, providertypes.KubeClientKey, c)
	return providertypes.WithRuntimeParams(ctx, providertypes.RuntimeParams{
		Action:         step,
		ProcessContext: process.NewContext(process.ContextData{Namespace: e.options.Namespace, Ctx: ctx}),
		ConfigFactory:  e.configs,
	})
}

// decode returns the fields of a call that has been executed.
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

// PanicError is a panic in a provider.
type PanicError struct {
	Call  string
	Value any
	Stack []byte
}

// Error names the provider function, and not the panic's value, which may hold
// anything.
func (e *PanicError) Error() string { return fmt.Sprintf("provider %s panicked", e.Call) }

// IsRead reports whether a call only reads, so that repeating it changes
// nothing.
func IsRead(c Call) bool {
	switch c.Provider + "." + c.Do {
	case "kube.get", "kube.wait", "kube.read", "kube.list", "op.read", "op.list", "config.read", "config.list":
		return true
	}
	return c.Provider == "time" || c.Provider == "util" || c.Provider == "query"
}

// HasFailed reports whether a call failed and its template goes on nevertheless.
func HasFailed(r Result) bool {
	returns, _ := r["$returns"].(map[string]any)
	return str(returns, failureField) != ""
}

// ImportPaths returns the import paths of packages, sorted.
func ImportPaths(packages map[string]Package) []string {
	names := make([]string, 0, len(packages))
	for n := range packages {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
