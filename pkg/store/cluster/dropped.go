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
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// dropCounter counts the dead letters that exceeded the limits. It is stored in a
// TriggerCheckpoint.
type dropCounter struct {
	mu     sync.Mutex
	loaded bool
	count  uint64
	// version is the resourceVersion of the TriggerCheckpoint; empty if there is none.
	version string
}

func (o objects) newDropCounter() *v1alpha1.TriggerCheckpoint {
	return o.newCheckpoint(o.owner+"-dropped", dropCounterRecord, nil)
}

// readDropped returns the number of dead letters that were dropped.
func (o objects) readDropped(ctx context.Context) (uint64, error) {
	tc := o.newDropCounter()
	return decodeDropped(tc, o.client.Get(ctx, client.ObjectKeyFromObject(tc), tc))
}

// decodeDropped returns the number in tc. err is the result of reading tc.
func decodeDropped(tc *v1alpha1.TriggerCheckpoint, err error) (uint64, error) {
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if err := validateFormat(tc); err != nil {
		return 0, err
	}
	if tc.Spec.Dropped == nil || *tc.Spec.Dropped < 0 {
		return 0, fmt.Errorf("TriggerCheckpoint %s: no number of dropped dead letters: %w", tc.Name, store.ErrDamaged)
	}
	return uint64(*tc.Spec.Dropped), nil
}

// addDropped adds n to the number of dropped dead letters.
func (s *Store) addDropped(ctx context.Context, n uint64) error {
	if n == 0 {
		return nil
	}
	c := &s.dropCounter
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.loaded {
		tc := s.newDropCounter()
		count, err := decodeDropped(tc, s.claim(ctx, tc))
		if err != nil {
			return err
		}
		c.count, c.version, c.loaded = count, tc.ResourceVersion, true
	}
	tc := s.newDropCounter()
	tc.ResourceVersion = c.version
	tc.Spec.Dropped = ptr.To(int64(c.count + n))
	if err := s.put(ctx, tc); err != nil {
		return err
	}
	c.count, c.version = c.count+n, tc.ResourceVersion
	return nil
}
