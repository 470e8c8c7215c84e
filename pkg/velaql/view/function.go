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

// maxCachedViews is the maximum number of compiled views that a Function caches.
const maxCachedViews = 16

// Function returns the function `#View` of `vela/ql`, for provider.Options. Views are read
// from ConfigMaps with c.
func Function(c client.Client) func(ctx context.Context, calls provider.Executor, params map[string]any) (any, error) {
	cache := &cache{views: map[string]*View{}}
	return func(ctx context.Context, calls provider.Executor, params map[string]any) (any, error) {
		v, err := cache.view(ctx, params, Options{Client: c, Executor: calls})
		if err != nil {
			return nil, action.Terminal(err)
		}
		return v.Evaluate(ctx)
	}
}

// cache holds compiled views by the identity of their query.
type cache struct {
	mu    sync.Mutex
	views map[string]*View
}

// view returns the view with the given parameters, from the cache if possible.
func (c *cache) view(ctx context.Context, params map[string]any, o Options) (*View, error) {
	_, end := action.Track(ctx, nil, "") // as a part of the action's evaluation
	defer end()
	parameter, _ := params["parameter"].(map[string]any)
	text := func(key string) string {
		s, _ := params[key].(string)
		return s
	}
	q, diags := query.New(text("view"), text("template"), parameter, text("export"))
	if len(diags) > 0 {
		return nil, diags
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.views[q.Identity()]; ok {
		return v, nil
	}
	v, diags := New(q, o) //nolint:contextcheck // compiling makes no requests
	if len(diags) > 0 {
		return nil, fmt.Errorf("view: %w", diags)
	}
	if len(c.views) >= maxCachedViews {
		clear(c.views)
	}
	c.views[q.Identity()] = v
	return v, nil
}
