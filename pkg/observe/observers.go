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

package observe

import "github.com/kubevela/kube-trigger/pkg/engine"

// Observers passes what it observes to all of its elements, in order.
type Observers []engine.Observer

var _ engine.Observer = Observers(nil)

// Observe implements engine.Observer.
func (o Observers) Observe(d engine.Decision) {
	for _, each := range o {
		each.Observe(d)
	}
}

// ObserveSource implements engine.Observer.
func (o Observers) ObserveSource(f engine.SourceFailure) {
	for _, each := range o {
		each.ObserveSource(f)
	}
}

// ObserveDeadLetter implements engine.Observer.
func (o Observers) ObserveDeadLetter(r engine.DeadLetterResult) {
	for _, each := range o {
		each.ObserveDeadLetter(r)
	}
}
