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

package webhook

import (
	"encoding/json"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
)

// hook is what one trigger asks for.
type hook struct {
	trigger        event.TriggerRef
	path           string
	auth           authenticator
	deliveryHeader string
	registry       string
	maxBody        int64
	limiter        *rate.Limiter
	// replayWindow is how long a delivery could be repeated by whoever has seen
	// it; 0 where nothing says how old it is.
	replayWindow time.Duration
}

// name is that of the hook in the store.
func (h *hook) name() string { return Type + ":" + h.trigger.String() }

// authNone is auth that lets everybody in.
const authNone = "none"

// parse checks properties, and returns the hook that they ask for.
func parse(s schema.Lazy, given map[string]any, t event.TriggerRef, keys *secretCache, reviews *tokenReviewer) (*hook, diag.List) {
	var problems diag.List
	if auth, ok := given["auth"].(map[string]any); ok && auth["type"] == nil {
		problems.Add("auth.type", "is required: one of %s", strings.Join(authTypes(), ", "))
		return nil, problems
	}
	var p struct {
		Path           string          `json:"path"`
		Auth           json.RawMessage `json:"auth"`
		DeliveryHeader string          `json:"deliveryHeader"`
		Registry       string          `json:"registry"`
		MaxBodyBytes   int64           `json:"maxBodyBytes"`
		RateLimit      struct {
			PerSecond float64 `json:"perSecond"`
			Burst     int     `json:"burst"`
		} `json:"rateLimit"`
	}
	if problems = s.Decode(given, &p); len(problems) > 0 {
		return nil, problems
	}
	h := &hook{
		trigger: t, path: p.Path, registry: p.Registry, maxBody: p.MaxBodyBytes,
		limiter: rate.NewLimiter(rate.Limit(p.RateLimit.PerSecond), p.RateLimit.Burst),
	}
	if h.path == "" {
		h.path = "/" + t.String()
	}
	if !strings.HasPrefix(h.path, "/") || strings.ContainsAny(h.path, "?#% ") {
		problems.Add("path", `must begin with "/", and have no "?", "#", "%%" or blanks, not %q`, p.Path)
	}
	h.auth = allowAll()
	var auth authProperties
	if string(p.Auth) != `"`+authNone+`"` {
		if err := json.Unmarshal(p.Auth, &auth); err != nil {
			problems.Add("auth", "%v", err)
			return nil, problems
		}
		var wrong diag.List
		h.auth, wrong = auth.authenticator(t, keys, reviews)
		problems = append(problems, wrong.WithPrefix("auth")...)
		h.replayWindow = 2 * time.Duration(auth.ToleranceSeconds) * time.Second
	}
	h.deliveryHeader = p.DeliveryHeader
	if h.deliveryHeader == "" {
		h.deliveryHeader = h.auth.deliveryHeader
	}
	checkHeader("deliveryHeader", h.deliveryHeader, &problems)
	if h.replayWindow > 0 && h.deliveryHeader != h.auth.deliveryHeader {
		problems.Add("deliveryHeader", "has no effect with auth of type %q, which signs %s", auth.Type, h.auth.deliveryHeader)
	}
	return h, problems
}
