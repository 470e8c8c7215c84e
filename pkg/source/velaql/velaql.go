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

// Package velaql is the source "velaql": it evaluates a view of VelaQL again and
// again, and emits an event when what it shows changes.
//
//   - What a view shows when a trigger first starts is no event, unless the trigger
//     asks for one. A trigger whose query changes starts anew.
//   - A change is stored when it is done. What changed while the process was down is
//     one event; a change that was being handled when it ended is handled again.
//   - What becomes of a value that is soon as it was before, between two
//     evaluations, is not seen.
//   - A view that fails is no event. It is reported, and evaluated again after the
//     backoff of the engine. Neither does one that never ends stop other triggers.
//   - Events of one trigger are handled in order.
//
// Data is `{view?, result}`: the name of the view, and what it shows. Old is the same
// of before; it is not known for the first change after a restart where it is larger
// than MaxOld.
package velaql

import (
	"context"
	_ "embed"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
)

// Type is the name of the source, as triggers write it.
const Type = "velaql"

const (
	// MinInterval is the shortest interval.
	MinInterval = time.Second
	// MaxTimeout is the longest time that an evaluation may have.
	MaxTimeout = time.Minute
	// MaxOldBytes is how large a value may be that is stored for `context.old`, in bytes
	// of JSON.
	MaxOldBytes = 64 << 10
	// gracePeriod is what an evaluation gets past its timeout before it counts as one
	// that never ends.
	gracePeriod = 2 * time.Second
)

//go:embed properties.cue
var properties string

// View is a view that is ready to be evaluated.
type View interface {
	// Evaluate returns what the view shows, as decoded JSON. It ends soon after
	// ctx, unless it never does. It is not called while it runs.
	Evaluate(ctx context.Context) (any, error)
}

// Options is what sources of this package work with. Views and Clock are required.
type Options struct {
	// CompileView compiles what q asks for, to be evaluated for t. The paths in the
	// problems are "template" and "parameter".
	CompileView func(t event.TriggerRef, q query.Query) (View, diag.List)
	Clock       clock.Clock
	// OnStatus, where it is set, is told why the source of a key waits; nil when it
	// works.
	OnStatus func(key string, why error)
	// Checkpoints and Saver remember what views have shown. Where they are nil, a
	// trigger begins anew with the process.
	Checkpoints store.Checkpoints
	Saver       Saver
	// FromNow leaves out what changed while the process was down.
	FromNow bool
}

// Saver takes note of a change, which follows those before, and returns at once.
// store.Saver is one.
type Saver interface {
	Save(watch string, c store.Change)
}

// New returns the compiler of this source's properties.
func New(o Options) source.Compiler {
	s := schema.NewLazy(properties)
	return func(given map[string]any, t source.Spec) (source.Subscription, diag.List) {
		sub, problems := parse(s, given)
		if len(problems) > 0 {
			return nil, problems
		}
		sub.trigger, sub.options = t, o
		if t.BeforeEvaluate != nil {
			if problems = t.BeforeEvaluate(); len(problems) > 0 {
				return sub, problems
			}
		}
		sub.view, problems = o.CompileView(t.TriggerRef, sub.query)
		return sub, problems
	}
}

// Prune forgets the views that none of subscriptions, which are all that there are,
// stands for any more.
func Prune(ctx context.Context, r store.Checkpoints, subscriptions []source.Subscription) error {
	return store.Prune(ctx, r, source.Unused(Type, subscriptions), r.Delete)
}
