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

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// observer watches the versions of all Applications of a namespace.
type observer struct {
	mu       sync.Mutex
	versions map[string]int
	// onVersion is called with each new version.
	onVersion func(name string, version int, at time.Time)
}

// observe lists the versions and watches them until ctx ends. An error of the watch
// is passed to failed.
func (e *env) observe(ctx context.Context, namespace string, failed context.CancelCauseFunc) (*observer, error) {
	client := e.metadata.Resource(applications()).Namespace(namespace)
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	o := &observer{versions: map[string]int{}, onVersion: func(string, int, time.Time) {}}
	for i := range list.Items {
		if err := o.record(&list.Items[i], time.Now()); err != nil {
			return nil, err
		}
	}
	stream, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		return nil, err
	}
	go func() {
		defer stream.Stop()
		for ev := range stream.ResultChan() {
			app, ok := ev.Object.(*metav1.PartialObjectMetadata)
			if !ok || ev.Type != watch.Modified {
				failed(fmt.Errorf("watch Applications: unexpected %s of %T", ev.Type, ev.Object))
				return
			}
			if err := o.record(app, time.Now()); err != nil {
				failed(err)
				return
			}
		}
		failed(errors.New("watch Applications: ended"))
	}()
	return o, nil
}

func (o *observer) record(app *metav1.PartialObjectMetadata, at time.Time) error {
	n, err := strconv.Atoi(app.Annotations[version])
	if err != nil {
		return fmt.Errorf("application %s: %w", app.Name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.versions[app.Name] != n {
		o.versions[app.Name] = n
		o.onVersion(app.Name, n, at)
	}
	return nil
}

// ledger records the edits of one run of a load and the versions that follow. The
// n-th edit of a ConfigMap must give its Application the n-th new version.
type ledger struct {
	mu          sync.Mutex
	base        map[string]int
	edits       map[string][]time.Time
	raises      map[string][]time.Time
	sent        int
	raised      int
	twice       int
	lastVersion time.Time
	changed     chan struct{}
}

// ledger returns a new ledger that records the versions from now on.
func (o *observer) ledger() *ledger {
	l := &ledger{
		base: map[string]int{}, edits: map[string][]time.Time{}, raises: map[string][]time.Time{},
		changed: make(chan struct{}, 1),
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, v := range o.versions {
		l.base[name] = v
	}
	o.onVersion = l.version
	return l
}

// edit records an edit of name that is about to be sent.
func (l *ledger) edit(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.edits[name] = append(l.edits[name], time.Now())
	l.sent++
}

func (l *ledger) version(name string, v int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.raises[name]) < v-l.base[name] {
		l.raises[name] = append(l.raises[name], at)
		if len(l.raises[name]) > len(l.edits[name]) {
			l.twice++
			continue
		}
		l.raised++
		l.lastVersion = at
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// wait returns once every edit has led to a version, or after timeout.
func (l *ledger) wait(ctx context.Context, timeout time.Duration) error {
	deadline := time.After(timeout)
	for {
		l.mu.Lock()
		done := l.raised == l.sent
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-l.changed:
		case <-deadline:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// latencies returns the times from each edit to its version.
func (l *ledger) latencies() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []time.Duration
	for name, edits := range l.edits {
		for i, at := range l.raises[name] {
			if i < len(edits) {
				all = append(all, at.Sub(edits[i]))
			}
		}
	}
	return all
}
