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

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Driven is a subscription whose events the caller delivers: its source emits none.
type Driven struct {
	source.Subscription
	sinks chan source.Sink
}

// Drive returns a subscription in place of s.
func Drive(s source.Subscription) *Driven { return &Driven{s, make(chan source.Sink, 1)} }

// Open implements source.Subscription.
func (d *Driven) Open([]source.Subscription) source.Source { return d }

// Run implements source.Source.
func (d *Driven) Run(ctx context.Context, sink source.Sink) error {
	d.sinks <- sink
	<-ctx.Done()
	return nil
}

// Sink returns where to deliver events, once the source runs. It is called once.
func (d *Driven) Sink(ctx context.Context) (source.Sink, error) {
	select {
	case sink := <-d.sinks:
		return sink, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Go runs an engine until stop is called, which returns its error.
func Go(ctx context.Context, e *engine.Engine) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}
