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
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/store"
)

const droppedField = "dropped"

// dropCounter counts the dead letters that exceeded the limits. It is stored in a
// ConfigMap.
type dropCounter struct {
	mu     sync.Mutex
	loaded bool
	count  uint64
	// version is the resourceVersion of the ConfigMap; empty if there is none.
	version string
}

func (o objects) dropCounterMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: o.newMeta(o.owner+"-dropped", dropCounterRecord, nil)}
}

// readDropped returns the number of dead letters that were dropped. Until a writer has
// converted a store of format 1, the number is in its ConfigMap.
func (o objects) readDropped(ctx context.Context) (uint64, error) {
	cm := o.dropCounterMap()
	err := o.client.Get(ctx, client.ObjectKeyFromObject(cm), cm)
	if apierrors.IsNotFound(err) {
		err = o.client.Get(ctx, client.ObjectKey{Namespace: o.options.Namespace, Name: o.owner + "-history"}, cm)
	}
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return decodeDropped(cm)
}

func decodeDropped(cm *corev1.ConfigMap) (uint64, error) {
	n, err := strconv.ParseUint(cm.Data[droppedField], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("ConfigMap %s: %s: %w: %w", cm.Name, droppedField, store.ErrDamaged, err)
	}
	return n, nil
}

// addDropped adds n to the number of dropped dead letters.
func (s *Store) addDropped(ctx context.Context, n uint64) error {
	if n == 0 {
		return nil
	}
	c := &s.dropCounter
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := s.loadDropCounter(ctx); err != nil {
		return err
	}
	return s.setDropped(ctx, c.count+n)
}

// setDropped writes the number of dropped dead letters. The counter is loaded and locked.
func (s *Store) setDropped(ctx context.Context, n uint64) error {
	c := &s.dropCounter
	cm := s.dropCounterMap()
	cm.ResourceVersion = c.version
	cm.Data = map[string]string{droppedField: strconv.FormatUint(n, 10)}
	if err := s.put(ctx, cm); err != nil {
		return err
	}
	c.count, c.version = n, cm.ResourceVersion
	return nil
}

// loadDropCounter claims and reads the ConfigMap, once.
func (s *Store) loadDropCounter(ctx context.Context) error {
	c := &s.dropCounter
	if c.loaded {
		return nil
	}
	cm := s.dropCounterMap()
	err := s.claim(ctx, cm)
	if apierrors.IsNotFound(err) {
		c.loaded = true
		return nil
	}
	if err != nil {
		return err
	}
	if c.count, err = decodeDropped(cm); err != nil {
		return err
	}
	c.version, c.loaded = cm.ResourceVersion, true
	return nil
}
