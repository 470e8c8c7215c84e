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

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// fence holds the Lease of a store, and rejects writes once another writer has taken it
// over. Its holder is the term of a Leader. It is written when the store is opened and
// closed.
type fence struct {
	client client.Client
	leader *Leader
	// token identifies this writer.
	token    string
	closed   chan struct{}
	ended    chan struct{}
	lost     chan struct{}
	lostOnce sync.Once

	mu    sync.Mutex
	lease *coordinationv1.Lease
}

// takeOver acquires the Lease of the store. It blocks while the holder is a process that
// is elected by another Lease.
func (s *Store) takeOver(ctx context.Context) (*fence, error) {
	leader, clock := s.options.Leader, s.options.Clock
	var seen observation
	for {
		lease := &coordinationv1.Lease{ObjectMeta: s.newMeta(s.owner+"-store", leaseRecord, nil)}
		err := s.client.Get(ctx, client.ObjectKeyFromObject(lease), lease)
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("read Lease: %w", err)
		}
		holder := ptr.Deref(lease.Spec.HolderIdentity, "")
		held, err := s.heldByOther(ctx, holder, &seen)
		if err != nil {
			return nil, err
		}
		if held {
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("held by %q: %w", holder, context.Cause(ctx))
			case <-leader.lost:
				return nil, store.ErrFenced
			case <-clock.After(leasePollInterval):
			}
			continue
		}
		setHolder(lease, leader.term, metav1.NewMicroTime(clock.Now()))
		err = writeLease(ctx, s.client, lease)
		switch {
		case err == nil:
			return newFence(s.client, leader, lease), nil
		case !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err):
			return nil, fmt.Errorf("acquire Lease: %w", err)
		}
	}
}

// heldByOther reports whether a process that was elected by another Lease than this one
// holds the store. It returns ErrFenced if this process has lost its election.
func (s *Store) heldByOther(ctx context.Context, holder string, seen *observation) (bool, error) {
	name, transitions, _ := strings.Cut(holder, "/")
	switch name {
	case "":
		return false, nil
	case s.options.Leader.options.Name: // an earlier election, unless this one is lost
		return false, s.options.Leader.verify(ctx)
	}
	other := &coordinationv1.Lease{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.options.Namespace, Name: name}, other)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	current := strconv.Itoa(int(ptr.Deref(other.Spec.LeaseTransitions, 0)))
	return current == transitions && seen.held(other, s.options.Clock.Now()), nil
}

func newFence(c client.Client, leader *Leader, lease *coordinationv1.Lease) *fence {
	f := &fence{
		client: c, leader: leader, lease: lease,
		token:  fmt.Sprintf("%s/%d", lease.UID, *lease.Spec.LeaseTransitions),
		closed: make(chan struct{}), ended: make(chan struct{}), lost: make(chan struct{}),
	}
	go func() {
		defer close(f.ended)
		select {
		case <-leader.lost:
			f.lose()
		case <-f.closed:
		}
	}()
	return f
}

func (f *fence) lose() { f.lostOnce.Do(func() { close(f.lost) }) }

// errClosed is returned by writes after Close.
var errClosed = errors.New("the store is closed")

// check returns ErrFenced if the store is known to be lost, and errClosed after Close.
func (f *fence) check() error {
	select {
	case <-f.lost:
		return store.ErrFenced
	case <-f.leader.lost:
		return store.ErrFenced
	case <-f.closed:
		return errClosed
	default:
		return nil
	}
}

// verify reads the Lease, and returns ErrFenced if another writer has acquired it.
func (f *fence) verify(ctx context.Context) error {
	if err := f.check(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	err := readHeld(ctx, f.client, &f.lease)
	if errors.Is(err, store.ErrFenced) {
		f.lose()
	}
	return err
}

// release ends writing, and releases the Lease to the next writer.
func (f *fence) release() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.closed:
		return nil
	default:
	}
	lost := f.check() != nil
	close(f.closed)
	<-f.ended
	if lost {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	err := updateHeld(ctx, f.client, &f.lease, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("") })
	if errors.Is(err, store.ErrFenced) {
		return nil
	}
	return err
}
