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

package velaql

import (
	"time"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

// parse checks properties and returns their subscription, without trigger, view and
// options.
func parse(s schema.Lazy, given map[string]any) (subscription, diag.List) {
	var p struct {
		View      string         `json:"view"`
		Template  string         `json:"template"`
		Parameter map[string]any `json:"parameter"`
		Export    string         `json:"export"`
		Interval  string         `json:"interval"`
		Timeout   string         `json:"timeout"`
		Events    []string       `json:"events"`
	}
	if diags := s.Decode(given, &p); len(diags) > 0 {
		return subscription{}, diags
	}
	sub := subscription{events: p.Events}
	var diags diag.List
	sub.query, diags = query.New(p.View, p.Template, p.Parameter, p.Export)
	var err error
	if sub.interval, err = time.ParseDuration(p.Interval); err != nil || sub.interval < MinInterval {
		diags.Add("interval", `must be a duration of at least "1s", not %q`, p.Interval)
	}
	if sub.timeout, err = time.ParseDuration(p.Timeout); err != nil || sub.timeout <= 0 || sub.timeout > MaxTimeout {
		diags.Add("timeout", `must be a duration above "0s" and up to "1m", not %q`, p.Timeout)
	}
	return sub, diags
}
