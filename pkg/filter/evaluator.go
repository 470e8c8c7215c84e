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

	"github.com/kubevela/kube-trigger/pkg/projection"
)

// evaluator is a compiled filter that waits for an event. It serves one
// goroutine at a time. Evaluating adds nothing to it: what an event costs is
// garbage afterwards, except for field names, which CUE keeps for ever.
type evaluator struct {
	ctx  *cue.Context
	base cue.Value
}

// machine evaluates a filter with CUE, as often at once as there are processors.
type machine struct {
	text   string
	fields projection.Projection
	// idle holds an evaluator, or nil for one that is still to be made, for
	// each processor.
	idle chan *evaluator
}

func newMachine(text string, fields projection.Projection) *machine {
	n := runtime.GOMAXPROCS(0)
	m := &machine{text: text, fields: fields, idle: make(chan *evaluator, n)}
	for range n {
		m.idle <- nil
	}
	return m
}

// load compiles the text for evaluation.
func (m *machine) load() (*evaluator, error) {
	s, found := parse(m.text)
	if err := found.Err(); err != nil {
		return nil, err
	}
	ctx := cuecontext.New()
	return &evaluator{ctx, ctx.BuildFile(s.assemble())}, nil
}

// evaluation is what CUE makes of one event. It is made when it is first asked
// for, and has to be closed.
type evaluation struct {
	ctx     context.Context
	machine *machine
	context map[string]any

	evaluator *evaluator
	value     cue.Value
}

// result returns the filter's value with the event filled in.
func (e *evaluation) result() (cue.Value, error) {
	if e.evaluator != nil {
		return e.value, nil
	}
	select {
	case <-e.ctx.Done():
		return cue.Value{}, e.ctx.Err()
	case e.evaluator = <-e.machine.idle:
	}
	if e.evaluator == nil {
		loaded, err := e.machine.load()
		if err != nil {
			e.machine.idle <- nil
			return cue.Value{}, err
		}
		e.evaluator = loaded
	}
	// Without NilIsAny(false), null would be anything.
	data := e.evaluator.ctx.Encode(e.machine.fields.Pick(e.context), cue.NilIsAny(false))
	e.value = e.evaluator.base.FillPath(contextPath(), data)
	return e.value, nil
}

// close gives the evaluator back. It turns a panic of CUE into an error, and
// gives up an evaluator that has panicked.
func (e *evaluation) close(err *error) {
	p := recover()
	if p != nil {
		// The panic's text may hold values from the event.
		*err = fmt.Errorf("cue panicked with a %T", p)
	}
	switch {
	case p != nil && e.evaluator != nil:
		e.machine.idle <- nil
	case e.evaluator != nil:
		e.machine.idle <- e.evaluator
	}
}

func contextPath() cue.Path { return cue.MakePath(cue.Str("context")) }
