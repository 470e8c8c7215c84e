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

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	mergePatch = types.MergePatchType
	// writeAttempts is the maximum number of attempts of a write that conflicts.
	writeAttempts = 4
	// checkpointFormat is the version of the format of TriggerCheckpoints.
	checkpointFormat = 1
)

// newCheckpoint returns a new TriggerCheckpoint with the given type of record.
func (o objects) newCheckpoint(name, record string, labels map[string]string) *v1alpha1.TriggerCheckpoint {
	return &v1alpha1.TriggerCheckpoint{
		ObjectMeta: o.newMeta(name, record, labels),
		Spec:       v1alpha1.TriggerCheckpointSpec{Format: checkpointFormat},
	}
}

// validateFormat returns ErrForeign if tc has another format.
func validateFormat(tc *v1alpha1.TriggerCheckpoint) error {
	if tc.Spec.Format != checkpointFormat {
		return fmt.Errorf("TriggerCheckpoint %s: format %d, want %d: %w", tc.Name, tc.Spec.Format, checkpointFormat, store.ErrForeign)
	}
	return nil
}

// claim sets the writer annotation of tc, and reads tc. Writes of other writers that
// are based on an earlier version conflict. Only name and namespace of tc must be
// set.
func (s *Store) claim(ctx context.Context, tc *v1alpha1.TriggerCheckpoint) error {
	if err := s.fence.check(); err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, writerAnnotation, s.fence.token)
	return s.client.Patch(ctx, tc, client.RawPatch(mergePatch, []byte(patch)))
}

// put replaces the version of tc that has its resourceVersion, or creates tc if its
// resourceVersion is empty. On a conflict, put verifies that this writer still holds
// the store, and then replaces the current version: its own write whose response was
// lost, or a change by a user.
func (s *Store) put(ctx context.Context, tc *v1alpha1.TriggerCheckpoint) error {
	tc.Annotations[writerAnnotation] = s.fence.token
	for attempt := 1; ; attempt++ {
		if err := s.fence.check(); err != nil {
			return err
		}
		err := s.write(ctx, tc)
		if err == nil || attempt == writeAttempts || !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			return err
		}
		current := &v1alpha1.TriggerCheckpoint{}
		err = s.client.Get(ctx, client.ObjectKeyFromObject(tc), current)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		// After the read: a writer that takes over later claims the TriggerCheckpoint,
		// so that the next write conflicts.
		if err := s.fence.verify(ctx); err != nil {
			return err
		}
		tc.ResourceVersion = current.ResourceVersion
	}
}

func (s *Store) write(ctx context.Context, tc *v1alpha1.TriggerCheckpoint) error {
	if tc.ResourceVersion == "" {
		return s.client.Create(ctx, tc)
	}
	return s.client.Update(ctx, tc)
}
