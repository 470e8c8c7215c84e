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
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// checks checks TriggerServices, and keeps the latest report of each, with a hash of the
// request: equal requests have equal reports. A check that the quick checker gives up
// continues in the background, so that it does not keep others waiting. It is safe for
// concurrent use.
type checks struct {
	quick, thorough sandbox.Checker
	// finished receives the TriggerServices whose background check has ended.
	finished chan event.GenericEvent

	mu      sync.Mutex
	entries map[types.NamespacedName]*checkEntry
}

// checkEntry is the last check of a TriggerService.
type checkEntry struct {
	hash string
	// running is set while the check runs in the background; cancel cancels it.
	running bool
	cancel  context.CancelFunc
	report  sandbox.Report
	err     error
}

// errChecking is returned for a TriggerService whose check continues in the background.
// It is reconciled again when the check has ended.
var errChecking = errors.New("the check continues in the background")

func newChecks(quick, thorough sandbox.Checker) *checks {
	return &checks{
		quick: quick, thorough: thorough,
		finished: make(chan event.GenericEvent), entries: map[types.NamespacedName]*checkEntry{},
	}
}

// check returns the report of a request, or errChecking.
func (c *checks) check(ctx context.Context, request sandbox.Request) (sandbox.Report, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return sandbox.Report{}, err
	}
	sum := sha256.Sum256(text)
	key, hash := client.ObjectKeyFromObject(&request.Service), hex.EncodeToString(sum[:])
	if report, err, known := c.known(key, hash); known {
		return report, err
	}
	report, err := c.quick.Check(ctx, request)
	switch {
	case errors.Is(err, sandbox.ErrResourceExceeded) && ctx.Err() == nil && c.thorough != nil:
		c.checkInBackground(ctx, key, hash, request)
		return sandbox.Report{}, errChecking
	case errors.Is(err, sandbox.ErrResourceExceeded) && ctx.Err() == nil:
		report = sandbox.Refuse(request, err.Error())
	case err != nil:
		return sandbox.Report{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[key] = &checkEntry{hash: hash, report: report}
	return report, nil
}

// known returns the result of the last check of key if it was of the same request. It
// cancels the check of an earlier request. An error is returned once.
func (c *checks) known(key types.NamespacedName, hash string) (sandbox.Report, error, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.entries[key]
	switch {
	case entry == nil:
		return sandbox.Report{}, nil, false
	case entry.hash != hash:
		entry.stop()
		return sandbox.Report{}, nil, false
	case entry.running:
		return sandbox.Report{}, errChecking, true
	case entry.err != nil:
		delete(c.entries, key)
	}
	return entry.report, entry.err, true
}

func (e *checkEntry) stop() {
	if e.cancel != nil {
		e.cancel()
	}
}

// checkInBackground starts the thorough check of request.
func (c *checks) checkInBackground(ctx context.Context, key types.NamespacedName, hash string, request sandbox.Request) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	entry := &checkEntry{hash: hash, running: true, cancel: cancel}
	c.mu.Lock()
	c.entries[key] = entry
	c.mu.Unlock()
	go func() {
		defer cancel()
		report, err := c.thorough.Check(ctx, request)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, sandbox.ErrResourceExceeded) {
			report, err = sandbox.Refuse(request, err.Error()), nil
		}
		c.mu.Lock()
		entry.running, entry.report, entry.err = false, report, err
		c.mu.Unlock()
		select {
		case c.finished <- event.GenericEvent{Object: &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}}:
		case <-ctx.Done():
		}
	}()
}

// remove drops the entry of a deleted TriggerService, and cancels its check.
func (c *checks) remove(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry := c.entries[key]; entry != nil {
		entry.stop()
		delete(c.entries, key)
	}
}
