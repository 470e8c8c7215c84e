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
	"sync"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	mergePatch = types.MergePatchType
	// leasePollInterval is the time between two reads of a Lease of another holder.
	leasePollInterval = 500 * time.Millisecond
	// renewalsPerLease is the number of renewals within the duration of a Lease.
	renewalsPerLease = 3
	// releaseTimeout limits the release of the Lease by Close.
	releaseTimeout = 5 * time.Second
	// writeAttempts is the maximum number of attempts of a write that conflicts.
	writeAttempts = 4
)

// fence holds the Lease, and rejects writes once another writer has acquired it.
type fence struct {
	client client.Client
	clock  clock.Clock
	// token identifies this acquisition of the Lease.
	token    string
	stop     context.CancelFunc
	closed   <-chan struct{}
	ended    chan struct{}
	lost     chan struct{}
	lostOnce sync.Once

	mu    sync.Mutex
	lease *coordinationv1.Lease
}

// acquireLease blocks until the Lease is acquired, and keeps renewing it.
func (s *Store) acquireLease(ctx context.Context) (*fence, error) {
	lease := &coordinationv1.Lease{ObjectMeta: s.newMeta(s.owner+"-store", "lease", nil)}
	var version string
	var since time.Time
	for {
		current := &coordinationv1.Lease{}
		err := s.client.Get(ctx, client.ObjectKeyFromObject(lease), current)
		switch {
		case apierrors.IsNotFound(err):
			err = s.writeLease(ctx, lease)
		case err != nil:
			return nil, fmt.Errorf("read lease: %w", err)
		default:
			if version != current.ResourceVersion {
				version, since = current.ResourceVersion, s.options.Clock.Now()
			}
			holder := ptr.Deref(current.Spec.HolderIdentity, "")
			duration := time.Duration(ptr.Deref(current.Spec.LeaseDurationSeconds, 0)) * time.Second
			if holder != "" && holder != s.options.Identity && s.options.Clock.Since(since) < duration {
				select {
				case <-ctx.Done():
					return nil, fmt.Errorf("held by %q: %w", holder, context.Cause(ctx))
				case <-s.options.Clock.After(leasePollInterval):
				}
				continue
			}
			lease = current
			err = s.writeLease(ctx, lease)
		}
		switch {
		case err == nil:
			return s.startRenewal(ctx, lease), nil
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
			lease = &coordinationv1.Lease{ObjectMeta: s.newMeta(lease.Name, "lease", nil)}
		default:
			return nil, fmt.Errorf("acquire lease: %w", err)
		}
	}
}

// writeLease writes lease with this writer as its holder. It returns a conflict if
// another writer has changed it.
func (s *Store) writeLease(ctx context.Context, lease *coordinationv1.Lease) error {
	now := metav1.NewMicroTime(s.options.Clock.Now())
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity:       &s.options.Identity,
		LeaseDurationSeconds: ptr.To(int32(max(1, s.options.LeaseDuration/time.Second))),
		AcquireTime:          &now,
		RenewTime:            &now,
		LeaseTransitions:     ptr.To(ptr.Deref(lease.Spec.LeaseTransitions, 0) + 1),
	}
	if lease.ResourceVersion == "" {
		return s.client.Create(ctx, lease)
	}
	return s.client.Update(ctx, lease)
}

// startRenewal renews the Lease until it is released or lost.
func (s *Store) startRenewal(ctx context.Context, lease *coordinationv1.Lease) *fence {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	f := &fence{
		client: s.client, clock: s.options.Clock, lease: lease, stop: stop,
		token:  fmt.Sprintf("%s/%d", lease.UID, *lease.Spec.LeaseTransitions),
		closed: ctx.Done(), ended: make(chan struct{}), lost: make(chan struct{}),
	}
	go func() {
		defer close(f.ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-f.lost:
				return
			case <-f.clock.After(s.options.LeaseDuration / renewalsPerLease):
			}
			// If the API server is unavailable, no other writer can acquire the Lease.
			if err := f.renew(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrFenced) {
				logr.FromContextOrDiscard(ctx).Info("lease of the store not renewed", "error", err.Error())
			}
		}
	}()
	return f
}

// renew sets the renew time of the Lease.
func (f *fence) renew(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.update(ctx, func(l *coordinationv1.Lease) {
		l.Spec.RenewTime = ptr.To(metav1.NewMicroTime(f.clock.Now()))
	})
}

// update changes the Lease. It returns ErrFenced if the Lease is lost.
func (f *fence) update(ctx context.Context, change func(*coordinationv1.Lease)) error {
	for {
		next := f.lease.DeepCopy()
		change(next)
		err := f.client.Update(ctx, next)
		switch {
		case err == nil:
			f.lease = next
			return nil
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			if err := f.read(ctx); err != nil {
				return err
			}
		default:
			return fmt.Errorf("update lease: %w", err)
		}
	}
}

// read reads the Lease. It returns ErrFenced, and closes lost, if another writer has
// acquired the Lease.
func (f *fence) read(ctx context.Context) error {
	current := &coordinationv1.Lease{}
	err := f.client.Get(ctx, client.ObjectKeyFromObject(f.lease), current)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read lease: %w", err)
	}
	if err != nil || current.UID != f.lease.UID ||
		ptr.Deref(current.Spec.LeaseTransitions, 0) != *f.lease.Spec.LeaseTransitions {
		f.lostOnce.Do(func() { close(f.lost) })
		return store.ErrFenced
	}
	f.lease = current
	return nil
}

// errClosed is returned by writes after Close.
var errClosed = errors.New("the store is closed")

// check returns ErrFenced if the Lease is known to be lost, and errClosed after Close.
func (f *fence) check() error {
	select {
	case <-f.lost:
		return store.ErrFenced
	case <-f.closed:
		return errClosed
	default:
		return nil
	}
}

// verify reads the Lease, and returns ErrFenced if it is lost.
func (f *fence) verify(ctx context.Context) error {
	if err := f.check(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read(ctx)
}

// release stops the renewal, and releases the Lease to the next writer.
func (f *fence) release() error {
	if errors.Is(f.check(), errClosed) {
		return nil
	}
	f.stop()
	<-f.ended
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.update(ctx, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("") })
	if errors.Is(err, store.ErrFenced) {
		return nil
	}
	return err
}

// put replaces the version of cm that has its resourceVersion, or creates cm if its
// resourceVersion is empty. On a conflict, put verifies that this writer still holds
// the Lease, and then replaces the current version: its own write whose response was
// lost, or a change by a user.
func (s *Store) put(ctx context.Context, cm *corev1.ConfigMap) error {
	cm.Annotations[writerAnnotation] = s.fence.token
	for attempt := 1; ; attempt++ {
		if err := s.fence.check(); err != nil {
			return err
		}
		err := s.write(ctx, cm)
		if err == nil || attempt == writeAttempts || !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			return err
		}
		current := &corev1.ConfigMap{}
		err = s.client.Get(ctx, client.ObjectKeyFromObject(cm), current)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		// After the read: a writer that acquires the Lease later claims the ConfigMap,
		// so that the next write conflicts.
		if err := s.fence.verify(ctx); err != nil {
			return err
		}
		cm.ResourceVersion = current.ResourceVersion
	}
}

func (s *Store) write(ctx context.Context, cm *corev1.ConfigMap) error {
	if cm.ResourceVersion == "" {
		return s.client.Create(ctx, cm)
	}
	return s.client.Update(ctx, cm)
}
