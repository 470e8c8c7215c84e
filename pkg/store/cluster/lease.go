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
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// observation is when the Lease of another holder was last seen to change. The local
// clock measures its expiry, so that clocks need not be synchronized.
type observation struct {
	version string
	since   time.Time
}

// held reports whether lease is held and, as far as is known at now, not expired.
func (o *observation) held(lease *coordinationv1.Lease, now time.Time) bool {
	if o.version != lease.ResourceVersion {
		o.version, o.since = lease.ResourceVersion, now
	}
	duration := time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0)) * time.Second
	return ptr.Deref(lease.Spec.HolderIdentity, "") != "" && now.Sub(o.since) < duration
}

// setHolder changes lease to one that holder has just acquired.
func setHolder(lease *coordinationv1.Lease, holder string, now metav1.MicroTime) {
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: &holder, AcquireTime: &now,
		LeaseTransitions: ptr.To(ptr.Deref(lease.Spec.LeaseTransitions, 0) + 1),
	}
}

// writeLease creates lease, or replaces the version that it has. It returns a conflict
// if it was changed meanwhile.
func writeLease(ctx context.Context, c client.Client, lease *coordinationv1.Lease) error {
	if lease.ResourceVersion == "" {
		return c.Create(ctx, lease)
	}
	return c.Update(ctx, lease)
}

// updateHeld changes a Lease that this process has acquired. It returns ErrFenced if the
// Lease is lost.
func updateHeld(ctx context.Context, c client.Client, lease **coordinationv1.Lease, change func(*coordinationv1.Lease)) error {
	for {
		next := (*lease).DeepCopy()
		change(next)
		err := c.Update(ctx, next)
		switch {
		case err == nil:
			*lease = next
			return nil
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			if err := readHeld(ctx, c, lease); err != nil {
				return err
			}
		default:
			return fmt.Errorf("update Lease %s: %w", next.Name, err)
		}
	}
}

// readHeld reads a Lease that this process has acquired. It returns ErrFenced if it was
// acquired again since, or deleted.
func readHeld(ctx context.Context, c client.Client, lease **coordinationv1.Lease) error {
	before, current := *lease, &coordinationv1.Lease{}
	err := c.Get(ctx, client.ObjectKeyFromObject(before), current)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read Lease %s: %w", before.Name, err)
	}
	if err != nil || current.UID != before.UID ||
		ptr.Deref(current.Spec.LeaseTransitions, 0) != *before.Spec.LeaseTransitions {
		return store.ErrFenced
	}
	*lease = current
	return nil
}
