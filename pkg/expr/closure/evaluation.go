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

package closure

// Evaluation is the evaluation of a program. It serves one goroutine.
type Evaluation struct {
	program *Program
	frame   *frame
}

// Begin begins an evaluation for context, which has to be ended.
func (p *Program) Begin(context Context) Evaluation {
	f, _ := p.frames.Get().(*frame)
	f.context, f.steps = context, 0
	return Evaluation{p, f}
}

// Value returns the value of a field that the program was compiled with.
func (e Evaluation) Value(name string) (any, Status) { return e.program.codes[name].eval(e.frame) }

// End ends an evaluation.
func (e Evaluation) End() {
	clear(e.frame.slots)
	e.frame.context = nil
	e.program.frames.Put(e.frame)
}

// Evaluate returns the value of one field for context.
func (p *Program) Evaluate(context Context, name string) (any, Status) {
	e := p.Begin(context)
	v, s := e.Value(name)
	e.End()
	return v, s
}

// frame holds the state of one evaluation.
type frame struct {
	context Context
	slots   []slot
	// steps counts the elements of loops.
	steps int
}

// maxSteps limits the elements that the loops of one evaluation have together. More are left
// to CUE.
const maxSteps = 10_000_000

// slot holds the value of an input, a declaration or a variable.
type slot struct {
	value  any
	status Status
	// known is set once the value is.
	known bool
	// count and list are those of a list that is being built.
	count int
	list  []any
}
