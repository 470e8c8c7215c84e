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

// Package velaql is the source "velaql": it evaluates a VelaQL view periodically and
// emits an event when the result changes.
//
//   - The first result after a trigger's first start is an event only if the trigger
//     subscribes to sync. A change of the trigger's query restarts it.
//   - A result is saved when its event is acknowledged. Changes while the process is
//     down are one event, and an event that was not acknowledged is delivered again
//     after a restart.
//   - A change that is reverted before the next evaluation is not observed.
//   - A failed evaluation emits no event. It is reported, and repeated after the
//     engine's backoff. An evaluation that never ends does not block other triggers.
//   - Events of one trigger are handled in order.
//
// An event's Data is `{view?, result}`: the name of the view and its result. Old is the
// same of the previous result. After a restart, Old is not known for the first change if
// the previous result is larger than MaxOldBytes.
package velaql

import (
	"context"
	_ "embed"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

// Type is the source's type in triggers.
const Type = "velaql"

const (
	// MinInterval is the lower limit of the property interval.
	MinInterval = time.Second
	// MaxTimeout is the upper limit of the property timeout.
	MaxTimeout = time.Minute
	// MaxOldBytes limits the JSON of a result that is saved for `context.old`.
	MaxOldBytes = store.MaxValue
	// gracePeriod is the time that an evaluation gets after its timeout, or after its
	// context ends, to stop.
	gracePeriod = 2 * time.Second
)

//go:embed properties.cue
var properties string

// View is a compiled view.
type View interface {
	// Evaluate returns the view's result as decoded JSON. It should return soon after
	// ctx ends. It is not called concurrently.
	Evaluate(ctx context.Context) (any, error)
}

// Options configure this source. CompileView is required to compile, Clock to run.
type Options struct {
	// CompileView compiles the view of q for trigger t. The paths of its diagnostics
	// start with "template" or "parameter".
	CompileView func(t event.TriggerRef, q query.Query) (View, diag.List)
	Clock       clock.Clock
	// OnStatus, if it is set, is called with the subscription's key: with nil after each
	// successful evaluation, and with the error when the source fails.
	OnStatus func(key string, err error)
	// Checkpoints and Saver persist the last result of each trigger. If they are nil,
	// triggers restart with the process.
	Checkpoints store.Checkpoints
	Saver       store.Saver
	// FromNow discards changes while the process was down.
	FromNow bool
}

// New returns the factory of this source.
func New(o Options) source.Factory {
	s := schema.NewLazy(properties)
	compile := func(given map[string]any, t source.Spec) (source.Subscription, diag.List) {
		sub, diags := parse(s, given)
		if len(diags) > 0 {
			return nil, diags
		}
		sub.trigger, sub.options = t, o
		sub.view, diags = o.CompileView(t.TriggerRef, sub.query)
		return sub, diags
	}
	return source.Factory{Compile: compile, Properties: properties, Capabilities: source.Capabilities{
		Status: true, Objectless: true, EvaluatesCUE: true,
		Form: event.Form{Data: datatype.Object(map[string]datatype.Type{"view": datatype.Of(datatype.String), "result": datatype.Of(datatype.Any)})},
	}}
}
