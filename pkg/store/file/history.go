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

package file

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// Record implements store.History.
func (s *Store) Record(ctx context.Context, runs ...store.Run) error {
	runs = runs[max(0, len(runs)-s.limits.Runs):]
	return s.batch(ctx, "record", func(t tx) error {
		for _, r := range runs {
			text, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if err := t.put(binary.BigEndian.AppendUint64([]byte{runKey}, t.nextSequence()), text); err != nil {
				return err
			}
		}
		return t.dropRuns(s.limits.Runs)
	})
}

// dropRuns removes the oldest runs until limit are left.
func (t tx) dropRuns(limit int) error {
	over := t.count([]byte{runKey}, 2*limit) - limit
	var keys [][]byte
	for p, err := range t.scan([]byte{runKey}) {
		if err != nil {
			return err
		}
		if len(keys) >= over {
			break
		}
		keys = append(keys, join([]byte{runKey}, p.key))
	}
	for _, key := range keys {
		if err := t.delete(key); err != nil {
			return err
		}
	}
	return nil
}

// Runs implements store.History.
func (s *Store) Runs(ctx context.Context) ([]store.Run, error) {
	var runs []store.Run
	err := s.read(ctx, "read history", func(t tx) error {
		for p, err := range t.scan([]byte{runKey}) {
			if err != nil {
				return err
			}
			var r store.Run
			if err := json.Unmarshal(p.value, &r); err != nil {
				return fmt.Errorf("run: %w: %w", store.ErrDamaged, err)
			}
			runs = append(runs, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return runs, nil
}
