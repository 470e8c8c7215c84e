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

package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/kubevela/kube-trigger/pkg/fair"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// checks checks objects of one kind in the background, and keeps the latest report of each, with
// a hash of the request: equal requests have equal reports. Namespaces take turns, and a
// check that the quick checker gives up does not keep others waiting. It is safe for
// concurrent use.
type checks struct {
	// slots are the concurrent checks of quick.
	slots           *fair.Semaphore
	quick, thorough sandbox.Checker
	// request returns the request for an object.
	request func(ctx context.Context, key types.NamespacedName) (sandbox.Request, error)
	// finished receives the objects whose check has ended: their names.
	finished chan event.GenericEvent

	mu      sync.Mutex
	entries map[types.NamespacedName]*checkEntry
}

// checkEntry is the last check of an object.
type checkEntry struct {
	// hash is that of the request. It is empty while the check waits for its turn, which is
	// when the request is made, and if it could not be made.
	hash   string
	cancel context.CancelFunc
	ended  bool
	report sandbox.Report
	err    error
}

// errChecking is returned for an object whose check has not ended. It is
// reconciled again when the check has ended.
var errChecking = errors.New("the check continues in the background")

func newChecks(o Options, request func(context.Context, types.NamespacedName) (sandbox.Request, error)) *checks {
	return &checks{
		slots: fair.NewSemaphore(max(1, o.MaxChecks)), quick: o.Checker, thorough: o.ThoroughChecker, request: request,
		finished: make(chan event.GenericEvent), entries: map[types.NamespacedName]*checkEntry{},
	}
}

// check returns the report of the request for key that has the given hash, or
// errChecking. It does not wait. An error is returned once.
func (c *checks) check(ctx context.Context, key types.NamespacedName, hash string) (sandbox.Report, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.entries[key]
	switch {
	case entry == nil:
	case entry.ended && entry.hash == hash && entry.err == nil:
		return entry.report, nil
	case entry.ended && (entry.hash == hash || entry.hash == ""):
		delete(c.entries, key)
		return sandbox.Report{}, entry.err
	case !entry.ended && (entry.hash == "" || entry.hash == hash):
		return sandbox.Report{}, errChecking
	default:
		entry.cancel()
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	entry = &checkEntry{cancel: cancel}
	c.entries[key] = entry
	go c.run(ctx, key, entry)
	return sandbox.Report{}, errChecking
}

// hashOf returns a hash of a request: equal requests have equal hashes.
func hashOf(request sandbox.Request) (string, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// run checks an object, unless ctx ends first.
func (c *checks) run(ctx context.Context, key types.NamespacedName, entry *checkEntry) {
	defer entry.cancel()
	report, err := c.runInTurn(ctx, key, entry)
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	entry.ended, entry.report, entry.err = true, report, err
	c.mu.Unlock()
	select {
	case c.finished <- event.GenericEvent{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}}:
	case <-ctx.Done():
	}
}

// runInTurn waits for the turn of the namespace, and returns the report. The request is made
// then, so that those who wait hold no objects.
func (c *checks) runInTurn(ctx context.Context, key types.NamespacedName, entry *checkEntry) (sandbox.Report, error) {
	release, err := c.slots.Acquire(ctx, key.Namespace)
	if err != nil {
		return sandbox.Report{}, err
	}
	defer func() { release() }()
	request, err := c.request(ctx, key)
	if err != nil {
		return sandbox.Report{}, err
	}
	hash, err := hashOf(request)
	if err != nil {
		return sandbox.Report{}, err
	}
	c.mu.Lock()
	entry.hash = hash
	c.mu.Unlock()
	report, err := c.quick.Check(ctx, request)
	if errors.Is(err, sandbox.ErrResourceExceeded) && ctx.Err() == nil && c.thorough != nil {
		release()
		release = func() {}
		report, err = c.thorough.Check(ctx, request)
	}
	if errors.Is(err, sandbox.ErrResourceExceeded) {
		return sandbox.Refuse(request, err.Error()), nil
	}
	return report, err
}

// remove drops the entry of an object that needs no check any more, and cancels its check.
func (c *checks) remove(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry := c.entries[key]; entry != nil {
		entry.cancel()
		delete(c.entries, key)
	}
}
