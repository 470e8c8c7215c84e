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

package rehearsal

import (
	"context"
	"errors"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
)

// Executors are the executors of triggers that are compiled once, and run many times, one run
// at a time. The zero value is ready. It is safe for concurrent use.
type Executors struct {
	mu  sync.Mutex
	all map[event.TriggerRef]*delegate
}

// New returns the executor to compile a trigger with.
func (e *Executors) New(t event.TriggerRef) provider.Executor {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil {
		e.all = map[event.TriggerRef]*delegate{}
	}
	if e.all[t] == nil {
		e.all[t] = &delegate{}
	}
	return e.all[t]
}

// set has the calls of t executed by to.
func (e *Executors) set(t event.TriggerRef, to provider.Executor) {
	d, _ := e.New(t).(*delegate)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = to
}

// delegate passes calls on.
type delegate struct {
	mu sync.Mutex
	to provider.Executor
}

// Execute implements provider.Executor.
func (d *delegate) Execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	d.mu.Lock()
	to := d.to
	d.mu.Unlock()
	if to == nil {
		return nil, errors.New("the trigger does not run")
	}
	return to.Execute(ctx, call)
}

// executor returns the executor of the calls of a trigger in the run.
func (r *Run) executor(t event.TriggerRef, detector *loopguard.Detector, to client.Client, answers []Answer) provider.Executor {
	c := detector.Client(to)
	return Recorder{
		Executor: provider.New(provider.Options{
			Client: c, Namespace: t.Namespace, Egress: NewEgress(answers),
			View: view.Function(to), Causes: detector.Call, Clock: r.clock,
		}),
		Record: func(c Call) { r.record(t, c) },
	}
}
