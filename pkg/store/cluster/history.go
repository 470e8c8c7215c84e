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
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	runsField, droppedField = "runs", "dropped"
	// maxHistory bounds what a history may unpack to.
	maxHistory = 16 << 20
)

// history is what the ConfigMap of that name holds.
type history struct {
	mu      sync.Mutex
	loaded  bool
	runs    []store.Run
	dropped uint64
	version string
}

func (f *DeadLetters) historyMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: f.newMeta(f.owner+"-history", historyRecord, nil)}
}

// dropped returns the number of letters that were dropped.
func (f *DeadLetters) dropped(ctx context.Context) (uint64, error) {
	cm := f.historyMap()
	err := f.client.Get(ctx, client.ObjectKeyFromObject(cm), cm)
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return readDropped(cm)
}

func readDropped(cm *corev1.ConfigMap) (uint64, error) {
	n, err := strconv.ParseUint(cm.Data[droppedField], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("ConfigMap %s: %s: %w: %w", cm.Name, droppedField, store.ErrDamaged, err)
	}
	return n, nil
}

// countDropped adds n.
func (s *Store) countDropped(ctx context.Context, n uint64) error {
	if n == 0 {
		return nil
	}
	return s.change(ctx, func(h *history) { h.dropped += n })
}

// Record implements store.History.
func (s *Store) Record(ctx context.Context, runs ...store.Run) error {
	return s.wrapError("record", s.change(ctx, func(h *history) {
		h.runs = append(slices.Clip(h.runs), runs...)
		h.runs = h.runs[max(0, len(h.runs)-s.options.Limits.Runs):]
	}))
}

// Runs implements store.History.
func (s *Store) Runs(ctx context.Context) ([]store.Run, error) {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	if err := s.loadHistory(ctx); err != nil {
		return nil, s.wrapError("read history", err)
	}
	return slices.Clone(s.history.runs), nil
}

// change writes what f makes of the history.
func (s *Store) change(ctx context.Context, f func(*history)) error {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	if err := s.loadHistory(ctx); err != nil {
		return err
	}
	next := history{runs: s.history.runs, dropped: s.history.dropped}
	f(&next)
	packed, err := pack(next.runs)
	if err != nil {
		return err
	}
	cm := s.historyMap()
	cm.ResourceVersion = s.history.version
	cm.Data = map[string]string{droppedField: strconv.FormatUint(next.dropped, 10)}
	cm.BinaryData = map[string][]byte{runsField: packed}
	if err := s.put(ctx, cm); err != nil {
		return err
	}
	s.history.runs, s.history.dropped, s.history.version = next.runs, next.dropped, cm.ResourceVersion
	return nil
}

// loadHistory claims and reads the history, once.
func (s *Store) loadHistory(ctx context.Context) error {
	h := &s.history
	if h.loaded {
		return nil
	}
	cm := s.historyMap()
	err := s.claim(ctx, cm)
	if apierrors.IsNotFound(err) {
		h.loaded = true
		return nil
	}
	if err != nil {
		return err
	}
	if h.dropped, err = readDropped(cm); err != nil {
		return err
	}
	if h.runs, err = unpack(cm.BinaryData[runsField]); err != nil {
		return fmt.Errorf("ConfigMap %s: %s: %w: %w", cm.Name, runsField, store.ErrDamaged, err)
	}
	h.version, h.loaded = cm.ResourceVersion, true
	return nil
}

func pack(runs []store.Run) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(runs); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unpack(b []byte) ([]store.Run, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxHistory))
	if err != nil {
		return nil, err
	}
	var runs []store.Run
	return runs, json.Unmarshal(text, &runs)
}
