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

package rehearsal

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

type subresourceClient struct {
	objectsClient
	name string
}

func (s subresourceClient) check() error {
	if s.name != "status" {
		return fmt.Errorf("the subresource %q is not rehearsed: only status is", s.name)
	}
	return nil
}

// Get implements client.SubResourceReader.
func (s subresourceClient) Get(ctx context.Context, obj, sub client.Object, _ ...client.SubResourceGetOption) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.objectsClient.Get(ctx, client.ObjectKeyFromObject(obj), sub)
}

// Create implements client.SubResourceWriter.
func (s subresourceClient) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return fmt.Errorf("the subresource %q cannot be created in a rehearsal", s.name)
}

// Update implements client.SubResourceWriter.
func (s subresourceClient) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	options := client.SubResourceUpdateOptions{}
	options.ApplyOptions(opts)
	if err := s.check(); err != nil {
		return err
	}
	return s.update(ctx, obj, s.name, options.FieldManager, options.DryRun)
}

// Patch implements client.SubResourceWriter.
func (s subresourceClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	options := client.SubResourcePatchOptions{}
	options.ApplyOptions(opts)
	if err := s.check(); err != nil {
		return err
	}
	return s.patch(ctx, obj, patch, s.name, options.FieldManager, options.DryRun)
}
