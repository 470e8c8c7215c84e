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
	"fmt"
	"runtime"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// evaluator holds compiled programs that wait for an event. It serves one
// goroutine at a time. Evaluating adds nothing to it: what an event costs is
// garbage afterwards, except for field names, which CUE keeps for ever.
type evaluator struct {
	ctx   *cue.Context
	bases []cue.Value
}

// evaluatorPool evaluates the programs of a filter with CUE, as often at once as there
// are processors.
type evaluatorPool struct {
	programs []string
	// embedded is what the programs embed of elements.
	embedded []expr.Embedded
	// idle holds an evaluator, or nil for one that is still to be made, for
	// each processor.
	idle chan *evaluator
}

// newEvaluatorPool returns a machine with one evaluator ready.
func newEvaluatorPool(programs ...string) (*evaluatorPool, error) {
	n := runtime.GOMAXPROCS(0)
	m := &evaluatorPool{programs: programs, idle: make(chan *evaluator, n)}
	for _, text := range programs {
		file, err := parser.ParseFile(Filename, text)
		if err != nil {
			return nil, fmt.Errorf("parse %q: %w", text, err)
		}
		m.embedded = append(m.embedded, expr.EmbeddedElements(file))
	}
	ready, err := m.newEvaluator()
	if err != nil {
		return nil, err
	}
	for range n - 1 {
		m.idle <- nil
	}
	m.idle <- ready
	return m, nil
}

// newEvaluator compiles the programs.
func (m *evaluatorPool) newEvaluator() (*evaluator, error) {
	e := &evaluator{ctx: cuecontext.New()}
	for _, text := range m.programs {
		base := e.ctx.CompileString(text, cue.Filename(Filename))
		if err := base.Validate(); err != nil {
			return nil, fmt.Errorf("compile %q: %w", text, err)
		}
		e.bases = append(e.bases, base)
	}
	return e, nil
}

// evaluation is what CUE makes of one event. It takes an evaluator when it needs
// one, and has to be closed to give it back.
type evaluation struct {
	ctx     context.Context
	pool    *evaluatorPool
	context map[string]any

	acquired  bool
	evaluator *evaluator
}

// evaluate returns what a program makes of data.
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
		loaded, err := e.pool.newEvaluator()
		if err != nil {
			return cue.Value{}, err
		}
		e.evaluator = loaded
	}
	encoded := expr.Encode(e.evaluator.ctx, data, e.pool.embedded[program])
	return e.evaluator.bases[program].Unify(encoded), nil
}

// release gives the evaluator back. It turns a panic of CUE into an error, and
// gives up an evaluator that has panicked.
func (e *evaluation) release(err *error) {
	if p := recover(); p != nil {
		// The panic's text may hold values from the event.
		*err = fmt.Errorf("cue panicked with a %T", p)
		e.evaluator = nil
	}
	if e.acquired {
		e.pool.idle <- e.evaluator
	}
}

func contextPath() cue.Path { return cue.MakePath(cue.Str("context")) }
