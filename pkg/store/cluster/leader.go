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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	// DefaultLeaseDuration is the default of ElectionOptions.LeaseDuration.
	DefaultLeaseDuration = 15 * time.Second
	// leasePollInterval is the time between two reads of a Lease of another holder.
	leasePollInterval = 500 * time.Millisecond
	// cached is the version of a read from the cache of the API server. A Lease that is
	// not current cannot be written.
	cached = "0"
	// renewalsPerLease is the number of renewals within the duration of a Lease.
	renewalsPerLease = 3
	// releaseTimeout limits the release of a Lease.
	releaseTimeout = 5 * time.Second
)

// ElectionOptions configure an election. Client, Namespace, Name and Identity are
// required.
type ElectionOptions struct {
	Client ClientOptions
	// Namespace and Name are those of the Lease.
	Namespace, Name string
	// Identity is the name of this process. A process whose identity is the same
	// after a restart, such as the name of a pod, does not wait for its own Lease to
	// expire. Two processes that run at the same time must have different identities:
	// otherwise, they take the election from each other.
	Identity string
	// OwnerReferences are set on the Lease when it is created.
	OwnerReferences []metav1.OwnerReference
	// LeaseDuration is the time for which no other process can be elected after a
	// crash, in whole seconds. It is renewed every third of it. Defaults to
	// DefaultLeaseDuration.
	LeaseDuration time.Duration
	// Clock defaults to the real clock.
	Clock clock.Clock
}

// Leader is an election that this process has won. It may open any number of stores:
// they need no further renewals.
type Leader struct {
	client  client.Client
	options ElectionOptions
	// term identifies this election in the Leases of stores: LEASE/TRANSITIONS.
	term     string
	stop     context.CancelFunc
	ended    chan struct{}
	lost     chan struct{}
	lostOnce sync.Once

	mu    sync.Mutex
	lease *coordinationv1.Lease
}

// Elect blocks until this process holds the Lease, which it then renews until Close.
// While the API server is unavailable, it retries. If ctx ends first, it returns an
// error that contains the identity of the holder.
func Elect(ctx context.Context, o ElectionOptions) (*Leader, error) {
	if o.LeaseDuration == 0 {
		o.LeaseDuration = DefaultLeaseDuration
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	c, err := o.Client.newClient()
	if err != nil {
		return nil, fmt.Errorf("elect: %w", err)
	}
	l := &Leader{client: c, options: o, ended: make(chan struct{}), lost: make(chan struct{})}
	var seen observation
	for version, failing := "", false; ; {
		holder, err := l.acquire(ctx, version, &seen)
		if err == nil && holder == "" {
			break
		}
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
			version = "" // another process was faster, or the cache was not current
			continue
		}
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || err != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("elect by Lease %s/%s: %w", o.Namespace, o.Name, err)
		}
		if err != nil && !failing {
			logr.FromContextOrDiscard(ctx).Info("Election failed; retrying", "lease", o.Name, "error", err.Error())
		}
		version, failing = cached, err != nil
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("elect by Lease %s/%s: held by %q: %w", o.Namespace, o.Name, holder, context.Cause(ctx))
		case <-o.Clock.After(leasePollInterval):
		}
	}
	l.term = fmt.Sprintf("%s/%d", o.Name, *l.lease.Spec.LeaseTransitions)
	renewCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.keepRenewing(renewCtx)
	return l, nil
}

// acquire reads the given version of the Lease, and writes it unless another process holds
// it. It returns that process, or no name if this process holds the Lease now.
func (l *Leader) acquire(ctx context.Context, version string, seen *observation) (holder string, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.LeaseDuration)
	defer cancel()
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: l.options.Namespace, Name: l.options.Name}
	err = l.client.Get(ctx, key, lease, &client.GetOptions{Raw: &metav1.GetOptions{ResourceVersion: version}})
	if err != nil && !apierrors.IsNotFound(err) {
		// The holder may be unable to renew it, too: its time starts again.
		*seen = observation{}
		return "", err
	}
	if err != nil {
		lease = &coordinationv1.Lease{ObjectMeta: newMeta(key.Namespace, key.Name, shorten(key.Name), leaseRecord, l.options.OwnerReferences)}
	} else if holder = ptr.Deref(lease.Spec.HolderIdentity, ""); holder != l.options.Identity && seen.held(lease, l.options.Clock.Now()) {
		return holder, nil
	}
	now := metav1.NewMicroTime(l.options.Clock.Now())
	setHolder(lease, l.options.Identity, now)
	lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = ptr.To(int32(max(1, l.options.LeaseDuration/time.Second))), &now
	if err := writeLease(ctx, l.client, lease); err != nil {
		return holder, err
	}
	l.lease = lease
	return "", nil
}

// keepRenewing renews the Lease until ctx ends or it is lost.
func (l *Leader) keepRenewing(ctx context.Context) {
	defer close(l.ended)
	interval := l.options.LeaseDuration / renewalsPerLease
	for due := l.options.Clock.After(interval); ; {
		select {
		case <-ctx.Done():
			return
		case <-l.lost:
			return
		case <-due:
		}
		due = l.options.Clock.After(interval)
		// A slow answer is better than none: what remains of the duration is the timeout.
		// If the API server is unavailable, no other process can acquire the Lease.
		if err := l.renew(ctx, l.options.LeaseDuration-interval); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrFenced) {
			logr.FromContextOrDiscard(ctx).Info("Lease not renewed; retrying", "lease", l.options.Name, "error", err.Error())
		}
	}
}

func (l *Leader) renew(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return l.update(ctx, func(lease *coordinationv1.Lease) {
		lease.Spec.RenewTime = ptr.To(metav1.NewMicroTime(l.options.Clock.Now()))
	})
}

// update changes the Lease. It returns ErrFenced, and closes lost, if another process
// has acquired the Lease, or if it was deleted.
func (l *Leader) update(ctx context.Context, change func(*coordinationv1.Lease)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.observe(updateHeld(ctx, l.client, &l.lease, change))
}

// verify reads the Lease, and returns ErrFenced if it is lost.
func (l *Leader) verify(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.observe(readHeld(ctx, l.client, &l.lease))
}

func (l *Leader) observe(err error) error {
	if errors.Is(err, store.ErrFenced) {
		l.lostOnce.Do(func() { close(l.lost) })
	}
	return err
}

// Lost is closed when another process has been elected, or when the Lease was deleted.
// The stores of this process are then lost, too.
func (l *Leader) Lost() <-chan struct{} { return l.lost }

// Close releases the Lease to the next process. Close the stores first.
func (l *Leader) Close() error {
	l.stop()
	<-l.ended
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	err := l.update(ctx, func(lease *coordinationv1.Lease) { lease.Spec.HolderIdentity = ptr.To("") })
	if err != nil && !errors.Is(err, store.ErrFenced) {
		return fmt.Errorf("release Lease %s/%s: %w", l.options.Namespace, l.options.Name, err)
	}
	return nil
}
