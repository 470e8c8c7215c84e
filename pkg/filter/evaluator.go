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

package filter

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// evaluator holds compiled programs without an event. It serves one goroutine at a
// time. An evaluation leaves nothing in it except field names, which CUE never
// frees.
type evaluator struct {
	ctx   *cue.Context
	bases []cue.Value
}

// evaluatorPool evaluates the programs of a filter with CUE. It holds one evaluator
// per processor, which bounds the number of concurrent evaluations.
type evaluatorPool struct {
	programs []string
	// embedded holds the embedded elements of each program.
	embedded []expr.Embedded
	// idle holds the evaluators that are not in use. A nil one is created when it is
	// first used.
	idle chan *evaluator
	// evaluations holds evaluations that are not in use.
	evaluations sync.Pool
}

// newEvaluatorPool checks that programs can be compiled, and returns their pool. It keeps the
// first evaluator if it is needed, because the programs are not all compiled into closures.
func newEvaluatorPool(needed bool, programs ...string) (*evaluatorPool, error) {
	n := runtime.GOMAXPROCS(0)
	p := &evaluatorPool{programs: programs, idle: make(chan *evaluator, n)}
	for _, text := range programs {
		file, err := parser.ParseFile(expr.Filename, text)
		if err != nil {
			return nil, fmt.Errorf("parse %q: %w", text, err)
		}
		p.embedded = append(p.embedded, expr.EmbeddedElements(file))
	}
	first, err := p.newEvaluator()
	if err != nil {
		return nil, err
	}
	if !needed {
		first = nil
	}
	for range n - 1 {
		p.idle <- nil
	}
	p.idle <- first
	return p, nil
}

func (p *evaluatorPool) newEvaluator() (*evaluator, error) {
	e := &evaluator{ctx: cuecontext.New()}
	for _, text := range p.programs {
		base, err := expr.Build(e.ctx, text)
		if err == nil {
			err = base.Validate()
		}
		if err != nil {
			return nil, fmt.Errorf("compile %q: %w", text, err)
		}
		e.bases = append(e.bases, base)
	}
	return e, nil
}

// begin returns the evaluation of an event for the trigger t.
func (p *evaluatorPool) begin(ctx context.Context, ev event.Event, t event.Trigger) *evaluation {
	e, ok := p.evaluations.Get().(*evaluation)
	if !ok {
		e = &evaluation{pool: p}
	}
	e.ctx, e.view = ctx, event.NewView(ev, t)
	return e
}

// evaluation is the evaluation of one event. It acquires an evaluator with the first
// call of evaluate, and has to be released.
type evaluation struct {
	ctx  context.Context
	pool *evaluatorPool
	view event.View
	// trace gets the outcomes of the leaves that are evaluated; nil for none.
	trace map[*leaf]outcome

	acquired  bool
	evaluator *evaluator
}

// evaluate returns a program with data filled in. It blocks until an evaluator is
// idle or the context ends.
func (e *evaluation) evaluate(program int, data map[string]any) (cue.Value, error) {
	if !e.acquired {
		select {
		case <-e.ctx.Done():
			return cue.Value{}, e.ctx.Err()
		case e.evaluator = <-e.pool.idle:
			e.acquired = true
		}
	}
	if e.evaluator == nil {
		created, err := e.pool.newEvaluator()
		if err != nil {
			return cue.Value{}, err
		}
		e.evaluator = created
	}
	encoded := expr.Encode(e.evaluator.ctx, data, e.pool.embedded[program])
	return e.evaluator.bases[program].Unify(encoded), nil
}

// release returns the evaluator to the pool, unless err is a panic.
func (e *evaluation) release(err *error) {
	if p := (*panicerr.Error)(nil); errors.As(*err, &p) {
		e.evaluator = nil
	}
	if e.acquired {
		e.pool.idle <- e.evaluator
	}
	*e = evaluation{pool: e.pool}
	e.pool.evaluations.Put(e)
}
