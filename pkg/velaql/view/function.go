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

package view

import (
	"context"
	"fmt"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

// maxCachedViews is the maximum number of compiled views that an Executor caches.
const maxCachedViews = 16

// Executor returns an executor that adds the function `#View` of `vela/ql` to next. Views
// execute their calls with next, and are read from ConfigMaps with c. It is safe for
// concurrent use.
func Executor(next provider.Executor, c client.Client) provider.Executor {
	return &executor{next: next, options: Options{Client: c, Executor: next}, views: map[string]*View{}}
}

type executor struct {
	next    provider.Executor
	options Options

	mu    sync.Mutex
	views map[string]*View
}

// Execute implements provider.Executor.
func (e *executor) Execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	if call.Provider != "query" || call.Do != "view" {
		return e.next.Execute(ctx, call)
	}
	v, err := e.view(call.Params)
	if err != nil {
		return nil, action.Terminal(err)
	}
	value, err := v.Evaluate(ctx)
	if err != nil {
		return nil, err
	}
	return provider.Result{"$returns": map[string]any{"value": value}}, nil
}

// view returns the view with the given parameters, from the cache if possible.
func (e *executor) view(params map[string]any) (*View, error) {
	text := func(key string) string {
		s, _ := params[key].(string)
		return s
	}
	parameter, _ := params["parameter"].(map[string]any)
	q, diags := query.New(text("view"), text("template"), parameter, text("export"))
	if len(diags) > 0 {
		return nil, diags
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if v, ok := e.views[q.Identity()]; ok {
		return v, nil
	}
	v, diags := New(q, e.options)
	if len(diags) > 0 {
		return nil, fmt.Errorf("view: %w", diags)
	}
	if len(e.views) >= maxCachedViews {
		clear(e.views)
	}
	e.views[q.Identity()] = v
	return v, nil
}
