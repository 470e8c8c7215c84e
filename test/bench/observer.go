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

// observer watches the publishVersions of all Applications of a namespace.
type observer struct {
	mu       sync.Mutex
	versions map[string]int
	// onVersion is called for each new version, with the time of its receipt.
	onVersion func(name string, version int, received time.Time)
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
				failed(fmt.Errorf("watch Applications: got %s of %T, want MODIFIED of an Application", ev.Type, ev.Object))
				return
			}
			if err := o.record(app, time.Now()); err != nil {
				failed(err)
				return
			}
		}
		failed(errors.New("watch Applications: stream ended"))
	}()
	return o, nil
}

// record stores the version of app, and calls onVersion if it is new.
func (o *observer) record(app *metav1.PartialObjectMetadata, received time.Time) error {
	n, err := strconv.Atoi(app.Annotations[version])
	if err != nil {
		return fmt.Errorf("application %s: %w", app.Name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.versions[app.Name] != n {
		o.versions[app.Name] = n
		o.onVersion(app.Name, n, received)
	}
	return nil
}

// recorder records the edits of one run of a load and the versions that follow. The n-th
// edit of a ConfigMap must increment the version of its Application for the n-th time. It is
// safe for concurrent use.
type recorder struct {
	mu sync.Mutex
	// base are the versions before the run, by Application.
	base map[string]int
	// edits and increments are the times of the edits and of the new versions, by
	// Application.
	edits, increments map[string][]time.Time
	sent              int // edits
	handled           int // edits that have incremented a version
	duplicates        int // increments without an edit
	lastHandled       time.Time
	changed           chan struct{} // receives after an increment
}

// newRecorder returns a recorder of the versions from now on. It replaces the recorder of
// the call before.
func (o *observer) newRecorder() *recorder {
	r := &recorder{
		base: map[string]int{}, edits: map[string][]time.Time{}, increments: map[string][]time.Time{},
		changed: make(chan struct{}, 1),
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, v := range o.versions {
		r.base[name] = v
	}
	o.onVersion = r.version
	return r
}

// edit records an edit of the ConfigMap name. It is called before the request.
func (r *recorder) edit(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.edits[name] = append(r.edits[name], time.Now())
	r.sent++
}

// version records that an Application has version v.
func (r *recorder) version(name string, v int, received time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.increments[name]) < v-r.base[name] {
		r.increments[name] = append(r.increments[name], received)
		if len(r.increments[name]) > len(r.edits[name]) {
			r.duplicates++
			continue
		}
		r.handled++
		r.lastHandled = received
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// wait waits until all edits are handled, or for timeout. It returns an error only if ctx
// ends.
func (r *recorder) wait(ctx context.Context, timeout time.Duration) error {
	deadline := time.After(timeout)
	for {
		r.mu.Lock()
		done := r.handled == r.sent
		r.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-r.changed:
		case <-deadline:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// latencies returns the time from each handled edit to its version.
func (r *recorder) latencies() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []time.Duration
	for name, edits := range r.edits {
		for i, received := range r.increments[name] {
			if i < len(edits) {
				all = append(all, received.Sub(edits[i]))
			}
		}
	}
	return all
}
