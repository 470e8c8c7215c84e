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

package loopguard

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Status returns the client of the subresource "status".
func (c *trackingClient) Status() client.SubResourceWriter { return c.SubResource("status") }

// SubResource returns a client that records its writes as writes of the object.
// Responses of another kind, such as a token, are not recorded.
func (c *trackingClient) SubResource(name string) client.SubResourceClient {
	return subresourceClient{c.Client.SubResource(name), c}
}

type subresourceClient struct {
	client.SubResourceClient
	parent *trackingClient
}

// Create creates the subresource body of obj and records the write.
func (s subresourceClient) Create(ctx context.Context, obj, body client.Object, opts ...client.SubResourceCreateOption) error {
	opts = append([]client.SubResourceCreateOption{s.parent.owner}, opts...)
	var o client.SubResourceCreateOptions
	target, _ := s.parent.target(obj, o.ApplyOptions(opts).DryRun)
	if target.name == "" {
		return s.SubResourceClient.Create(ctx, obj, body, opts...)
	}
	defer s.parent.detector.tracker.begin(target)()
	return s.parent.recordCauses(ctx, body, s.SubResourceClient.Create(ctx, obj, body, opts...))
}

// Update updates obj and records the write.
func (s subresourceClient) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	opts = append([]client.SubResourceUpdateOption{s.parent.owner}, opts...)
	var o client.SubResourceUpdateOptions
	o.ApplyOptions(opts)
	c := s.parent
	target, mayWake := c.target(obj, o.DryRun)
	if target.name == "" {
		return s.SubResourceClient.Update(ctx, obj, opts...)
	}
	response := obj
	if o.SubResourceBody != nil {
		response = o.SubResourceBody
	}
	defer c.detector.tracker.begin(target)()
	before := response.GetResourceVersion()
	err := s.SubResourceClient.Update(ctx, obj, opts...)
	if !mayWake || before == "" {
		return c.recordCauses(ctx, response, err)
	}
	return c.recordOwn(ctx, target, response, before, err)
}

// Patch patches obj and records the write.
func (s subresourceClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	opts = append([]client.SubResourcePatchOption{s.parent.owner}, opts...)
	var o client.SubResourcePatchOptions
	o.ApplyOptions(opts)
	c := s.parent
	target, mayWake := c.target(obj, o.DryRun)
	if target.name == "" {
		return s.SubResourceClient.Patch(ctx, obj, patch, opts...)
	}
	response, body := obj, obj
	if o.SubResourceBody != nil {
		response, body = o.SubResourceBody, o.SubResourceBody
	}
	defer c.detector.tracker.begin(target)()
	if !mayWake {
		return c.recordCauses(ctx, response, s.SubResourceClient.Patch(ctx, obj, patch, opts...))
	}
	data, err := patch.Data(body)
	if err != nil {
		return err
	}
	p := conditionalPatch{trackingClient: c, target: target, obj: obj, kind: patch.Type(), data: data, response: response}
	p.patch = func(ctx context.Context, patch client.Patch) error {
		return s.SubResourceClient.Patch(ctx, obj, patch, opts...)
	}
	return p.send(ctx)
}
