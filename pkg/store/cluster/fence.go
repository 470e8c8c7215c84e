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
	// leasePollInterval is how often a Lease that another holds is read.
	leasePollInterval = 500 * time.Millisecond
	// renewalsPerLease is how often a Lease is renewed within its duration.
	renewalsPerLease = 3
	// releaseTimeout is how long Close tries to let go of the Lease.
	releaseTimeout = 5 * time.Second
	// writeAttempts is how often a write is tried that meets another version
	// than it expects.
	writeAttempts = 4
)

// fence is a hold of the Lease.
type fence struct {
	client client.Client
	clock  clock.Clock
	// token names this hold and no other.
	token    string
	stop     context.CancelFunc
	closed   <-chan struct{}
	ended    chan struct{}
	lost     chan struct{}
	lostOnce sync.Once

	mu    sync.Mutex
	lease *coordinationv1.Lease
}

// acquireLease waits for the Lease and keeps it.
func (s *Store) acquireLease(ctx context.Context) (*fence, error) {
	lease := &coordinationv1.Lease{ObjectMeta: s.newMeta(s.owner+"-store", "lease", nil)}
	var seen string
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
			if seen != current.ResourceVersion {
				seen, since = current.ResourceVersion, s.options.Clock.Now()
			}
			holder := ptr.Deref(current.Spec.HolderIdentity, "")
			lapse := time.Duration(ptr.Deref(current.Spec.LeaseDurationSeconds, 0)) * time.Second
			if holder != "" && holder != s.options.Identity && s.options.Clock.Since(since) < lapse {
				select {
				case <-ctx.Done():
					return nil, fmt.Errorf("%q has it open: %w", holder, context.Cause(ctx))
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
			return nil, fmt.Errorf("take lease: %w", err)
		}
	}
}

// writeLease makes lease this writer's, if nobody has changed it.
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

// startRenewal keeps the Lease until it is released or lost.
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
			// While the API server is away nobody else can take the Lease.
			if err := f.renew(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrFenced) {
				logr.FromContextOrDiscard(ctx).Info("lease of the store not renewed", "error", err.Error())
			}
		}
	}()
	return f
}

// renew says that the hold goes on.
func (f *fence) renew(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.update(ctx, func(l *coordinationv1.Lease) {
		l.Spec.RenewTime = ptr.To(metav1.NewMicroTime(f.clock.Now()))
	})
}

// update changes the Lease, which is this hold's, or says that it is lost.
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

// read reads the Lease and says whether it is still this hold's.
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

// errClosed says that Close was called.
var errClosed = errors.New("the store is closed")

// check returns ErrFenced if the hold is known to be lost.
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

// verify asks the API server whether the hold goes on.
func (f *fence) verify(ctx context.Context) error {
	if err := f.check(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read(ctx)
}

// release lets the next holder in.
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

// put writes cm in place of the version that it has, none where it has none.
// A version that it does not expect is one that this writer made without
// knowing, or somebody who is no writer: it is replaced, once it is certain
// that no other writer has come.
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
		// In this order: a writer that comes later claims what was read.
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
