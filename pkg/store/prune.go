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

package store

import (
	"context"
	"fmt"
)

// WatchLister lists the names under which resume points are stored.
type WatchLister interface {
	Watches(ctx context.Context) ([]string, error)
}

// Prune calls forget for every stored watch for which unused returns true. It stops
// at the first error.
func Prune(ctx context.Context, w WatchLister, unused func(watch string) bool, forget func(ctx context.Context, watch string) error) error {
	names, err := w.Watches(ctx)
	if err != nil {
		return fmt.Errorf("forget watches: %w", err)
	}
	for _, name := range names {
		if !unused(name) {
			continue
		}
		if err := forget(ctx, name); err != nil {
			return fmt.Errorf("forget watch %q: %w", name, err)
		}
	}
	return nil
}
