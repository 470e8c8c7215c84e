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
func (r *recorder) Status() client.SubResourceWriter { return r.SubResource("status") }

// SubResource returns a client whose writes are remembered as those of the object.
// What is answered with another object, such as a token, is not.
func (r *recorder) SubResource(name string) client.SubResourceClient {
	return subrecorder{r.Client.SubResource(name), r}
}

type subrecorder struct {
	client.SubResourceClient
	recorder *recorder
}

// Create creates body of obj, and remembers it.
func (s subrecorder) Create(ctx context.Context, obj, body client.Object, opts ...client.SubResourceCreateOption) error {
	var o client.SubResourceCreateOptions
	at, _ := s.recorder.object(obj, o.ApplyOptions(opts).DryRun)
	if at.name == "" {
		return s.SubResourceClient.Create(ctx, obj, body, opts...)
	}
	defer s.recorder.trigger.log.begin(at)()
	return s.recorder.note(ctx, body, s.SubResourceClient.Create(ctx, obj, body, opts...))
}

// Update updates obj, and remembers it.
func (s subrecorder) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	var o client.SubResourceUpdateOptions
	o.ApplyOptions(opts)
	r := s.recorder
	at, wakes := r.object(obj, o.DryRun)
	if at.name == "" {
		return s.SubResourceClient.Update(ctx, obj, opts...)
	}
	answer := obj
	if o.SubResourceBody != nil {
		answer = o.SubResourceBody
	}
	defer r.trigger.log.begin(at)()
	before := answer.GetResourceVersion()
	err := s.SubResourceClient.Update(ctx, obj, opts...)
	if !wakes || before == "" {
		return r.note(ctx, answer, err)
	}
	return r.made(ctx, at, answer, before, err)
}

// Patch patches obj, and remembers it.
func (s subrecorder) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	var o client.SubResourcePatchOptions
	o.ApplyOptions(opts)
	r := s.recorder
	at, wakes := r.object(obj, o.DryRun)
	if at.name == "" {
		return s.SubResourceClient.Patch(ctx, obj, patch, opts...)
	}
	answer, body := obj, obj
	if o.SubResourceBody != nil {
		answer, body = o.SubResourceBody, o.SubResourceBody
	}
	defer r.trigger.log.begin(at)()
	if !wakes {
		return r.note(ctx, answer, s.SubResourceClient.Patch(ctx, obj, patch, opts...))
	}
	data, err := patch.Data(body)
	if err != nil {
		return err
	}
	p := conditional{recorder: r, at: at, obj: obj, kind: patch.Type(), data: data, answer: answer}
	p.patch = func(ctx context.Context, patch client.Patch) error {
		return s.SubResourceClient.Patch(ctx, obj, patch, opts...)
	}
	return p.send(ctx)
}
