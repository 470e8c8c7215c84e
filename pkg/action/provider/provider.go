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
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"cuelang.org/go/cue"
	cuexruntime "github.com/kubevela/pkg/cue/cuex/runtime"
	wfconfig "github.com/kubevela/workflow/pkg/config"
	"github.com/kubevela/workflow/pkg/providers/builtin"
	"github.com/kubevela/workflow/pkg/providers/config"
	"github.com/kubevela/workflow/pkg/providers/http/ratelimiter"
	wfkube "github.com/kubevela/workflow/pkg/providers/kube"
	"github.com/kubevela/workflow/pkg/providers/legacy"
	"github.com/kubevela/workflow/pkg/providers/time"
	"github.com/kubevela/workflow/pkg/providers/util"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/velaql/functions"
)

// Call is one call of a provider function.
type Call struct {
	// Provider and Do identify the function, such as "kube" and "patch".
	Provider, Do string
	// Path is the path of the call in the template, such as "patches[0]".
	Path string
	// Params are the call's parameters as decoded JSON: its `$params`, or all of its
	// fields for a legacy call.
	Params map[string]any
	// Legacy is set for calls of `vela/op`, and of `vela/ql` without `$params`. Their
	// results are fields without `$returns`.
	Legacy bool
	// HandlesErr is set if the template refers to the call's `$returns.err`, so that a
	// failed read is a result, not an error.
	HandlesErr bool
	// Value is the call as a CUE value. It must not be used after Execute returns. It does
	// not exist where Params have other names than it would have.
	Value cue.Value
	// Scope is shared by the calls of an action for one event; nil for calls without an
	// event.
	Scope *Scope
	// Streak is set for calls that HasStreak reports, and kept for their repetitions. It may
	// be nil.
	Streak *Streak
}

// Result contains the fields that are added to the call, as decoded JSON: `$returns`
// or, for a legacy call, any fields.
type Result map[string]any

// Executor executes calls. It is safe for concurrent use.
type Executor interface {
	Execute(ctx context.Context, call Call) (Result, error)
}

// Package is a CUE package that templates can import.
type Package struct {
	// Path is the import path, such as "vela/kube".
	Path string
	// source returns the CUE source, which may be put together from others.
	source func() string
}

// Source returns the CUE source.
func (p Package) Source() string { return p.source() }

// Packages returns the packages that templates can import, by import path.
func Packages() map[string]Package {
	packages := map[string]Package{}
	for name, source := range map[string]func() string{
		"kube":         embedded(kubeSource),
		"http":         embedded(httpSource),
		"email":        embedded(emailSource),
		"metrics":      embedded(metricsSource),
		"multicluster": embedded(multiclusterSource),
		"oam":          embedded(oamSource),
		"terraform":    embedded(terraformSource),
		"time":         time.GetTemplate,
		"util":         util.GetTemplate,
		"builtin":      builtin.GetTemplate,
		"config":       config.GetTemplate,
		"op":           legacySource,
		"ql":           functions.Source,
		"query":        functions.Source,
	} {
		path := cuexruntime.VelaPrefix + name
		packages[path] = Package{path, source}
	}
	return packages
}

func embedded(source string) func() string { return func() string { return source } }

//go:embed kubevela.cue
var kubeVelaSource string

// legacySource returns the CUE of `vela/op`, changed so that the response is not a
// required parameter, and without the reference to a workflow step, with what KubeVela adds.
func legacySource() string {
	workflow := strings.NewReplacer("\n\tresponse: {", "\n\tresponse?: {", "\n\tstepID: context.stepSessionID", "").Replace(legacy.GetLegacyTemplate())
	return kubeVelaSource + "\n" + workflow
}

// Options configure an Executor.
type Options struct {
	// Client accesses the cluster. All calls use its identity and field manager.
	Client client.Client
	// Clusters returns the client of a joined cluster. If it is nil, calls for joined
	// clusters fail.
	Clusters func(ctx context.Context, cluster string) (client.Client, error)
	// ListClusters returns the names of the joined clusters. If it is nil, calls that list them
	// fail.
	ListClusters func(ctx context.Context) ([]string, error)
	// Namespace is the namespace of the Secrets that calls refer to, which is the
	// trigger's. Defaults to "default".
	Namespace string
	// Egress sends requests to servers other than the API server. Defaults to a client
	// with the zero AddressPolicy.
	Egress *egress.Client
	// View evaluates a view with the parameters of `ql.#View`. Its calls are executed by
	// calls, which is always the same Executor. Defaults to an error.
	View func(ctx context.Context, calls Executor, params map[string]any) (any, error)
	// Causes returns the causes of a request to a server other than the API server. The
	// request carries them, so that a trigger that it leads to knows them. Defaults to
	// none.
	Causes func(ctx context.Context) string
	// Clock defaults to the system clock.
	Clock clock.PassiveClock
}

// New returns an Executor that executes calls with the given options.
func New(o Options) Executor {
	if o.Egress == nil {
		o.Egress = egress.NewClient(egress.AddressPolicy{})
	}
	if o.Causes == nil {
		o.Causes = func(context.Context) string { return "" }
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &executor{
		options: o,
		configs: configFactory{wfconfig.NewK8sFactory(o.Client)},
		limiter: ratelimiter.NewRateLimiter(maxRateLimiters),
		workflow: map[string]map[string]cuexruntime.ProviderFn{
			"kube":    wfkube.GetProviders(),
			"time":    time.GetProviders(),
			"util":    util.GetProviders(),
			"builtin": builtin.GetProviders(),
			"config":  config.GetProviders(),
			"op":      legacy.GetLegacyProviders(),
		},
	}
}

type executor struct {
	options Options
	configs wfconfig.Factory
	limiter *ratelimiter.RateLimiter
	// workflow are the functions of the workflow by provider and name.
	workflow map[string]map[string]cuexruntime.ProviderFn
	// unreadable has the kinds whose objects the identity may not read.
	unreadable sync.Map
}

// Execute implements Executor. Errors contain no values of Secrets that the call reads or
// writes, or that ctx has to redact. A panic of a provider is an error that wraps a
// *panicerr.Error.
func (e *executor) Execute(ctx context.Context, call Call) (Result, error) {
	ctx, secrets := redact.Begin(ctx)
	result, err := panicerr.Call(func() (Result, error) {
		c, err := e.client(ctx, call)
		if err != nil {
			return nil, err
		}
		f := lookup(call)
		result, err := f.run(ctx, e, c, call)
		if err != nil {
			secrets.AddSecrets(call.written())
		}
		if err != nil && f.handlesError(ctx, call) {
			return f.failure(call, secrets.Text(err.Error())), nil
		}
		if err == nil && f.external && call.Scope != nil {
			call.Scope.acted(true)
		}
		return result, err
	})
	if p := (*panicerr.Error)(nil); errors.As(err, &p) {
		err = fmt.Errorf("provider %s.%s: %w", call.Provider, call.Do, err)
	}
	if err != nil {
		return nil, secrets.Error(err)
	}
	return result, nil
}

// client returns the client of the cluster that the call names, in the call's scope.
func (e *executor) client(ctx context.Context, call Call) (client.Client, error) {
	cluster := str(call.Params, "cluster")
	if cluster == multicluster.Local {
		cluster = ""
	}
	c := e.options.Client
	if cluster != "" {
		if e.options.Clusters == nil {
			return nil, &ParamError{Path: "cluster", Message: fmt.Sprintf("cannot use cluster %q: only the worker's own cluster is available", cluster)}
		}
		var err error
		if c, err = e.options.Clusters(ctx, cluster); err != nil {
			return nil, err
		}
	}
	if call.Scope == nil || c == nil {
		return c, nil
	}
	return &scopedClient{Client: c, scope: call.Scope, cluster: cluster, unreadable: &e.unreadable}, nil
}

// returns returns the result of a call with the given fields.
func (c Call) returns(fields map[string]any) Result {
	if c.Legacy {
		return fields
	}
	return Result{"$returns": fields}
}

// written returns what the call writes, with the Secrets in it, and with what a patch of a
// Secret changes as a Secret. The API server repeats data that it refuses.
func (c Call) written() any {
	patch, _ := c.Params["patch"].(map[string]any)
	data := patch
	target, _ := c.Params["value"].(map[string]any)
	if resource, ok := c.Params["resource"].(map[string]any); ok {
		target = resource
		data, _ = patch["data"].(map[string]any)
	}
	if !redact.IsSecret(target) {
		return c.Params
	}
	operations, _ := patch["data"].([]any)
	changed := []any{data["data"]}
	for _, o := range operations {
		operation, _ := o.(map[string]any)
		changed = append(changed, operation["value"])
	}
	return []any{c.Params, map[string]any{"kind": "Secret", "data": changed, "stringData": data["stringData"]}}
}

// HasFailed reports whether r is the failure of a call that sets keepGoing.
func HasFailed(r Result) bool {
	returns, _ := r["$returns"].(map[string]any)
	return str(returns, failureField) != ""
}
