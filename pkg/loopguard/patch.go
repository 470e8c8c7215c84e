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
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// conditionalPatch is a patch with a precondition on the object's revision.
type conditionalPatch struct {
	*trackingClient
	target object
	obj    client.Object
	kind   types.PatchType
	data   []byte
	// patch sends a patch; response then holds the returned object.
	patch    func(ctx context.Context, p client.Patch) error
	response client.Object
}

// send sends the patch, and repeats it when the object has changed since its
// revision was read. If the object cannot be read, or keeps changing, the patch
// is sent without a precondition and is not recorded as the trigger's own.
func (p conditionalPatch) send(ctx context.Context) error {
	before := p.detector.latestRevision(p.target)
	for range maxPatchAttempts {
		if before == "" {
			now, err := p.currentRevision(ctx, p.obj)
			if apierrors.IsNotFound(err) {
				return p.recordCreated(ctx, p.target, p.response, p.request(ctx, p.data))
			}
			if err != nil {
				break
			}
			before = now
		}
		data, named, err := withPrecondition(p.kind, p.data, before)
		if err != nil {
			break
		}
		if named != "" {
			return p.record(ctx, named, p.request(ctx, p.data))
		}
		err = p.request(ctx, data)
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return p.record(ctx, before, err)
		}
		now, readErr := p.currentRevision(ctx, p.obj)
		if readErr != nil && !apierrors.IsNotFound(readErr) || now == before {
			return err
		}
		before = now
	}
	return p.recordCauses(ctx, p.response, p.request(ctx, p.data))
}

// record records the revision in the response as the trigger's own, and what it changed,
// if it differs from the revision before.
func (p conditionalPatch) record(ctx context.Context, before string, err error) error {
	if now := p.response.GetResourceVersion(); err == nil && now != "" && now != before {
		p.detector.recordContent(ctx, p.target, contentOf(p.kind, p.data))
	}
	return p.recordOwn(ctx, p.target, p.response, before, err)
}

func (p conditionalPatch) request(ctx context.Context, data []byte) error {
	return p.patch(ctx, client.RawPatch(p.kind, data))
}

// withPrecondition adds a precondition on the revision before to a patch. If the
// patch already names a revision, it returns that revision as named instead.
func withPrecondition(kind types.PatchType, data []byte, before string) (conditional []byte, named string, err error) {
	if kind == types.JSONPatchType {
		return jsonWithPrecondition(data, before)
	}
	const metadata, version = "metadata", "resourceVersion"
	var patch, meta map[string]json.RawMessage
	if err := json.Unmarshal(data, &patch); err != nil {
		return nil, "", fmt.Errorf("read patch: %w", err)
	}
	if patch == nil {
		patch = map[string]json.RawMessage{}
	}
	if m, ok := patch[metadata]; ok {
		if err := json.Unmarshal(m, &meta); err != nil {
			return nil, "", fmt.Errorf("read metadata of patch: %w", err)
		}
	}
	if v, ok := meta[version]; ok && json.Unmarshal(v, &named) == nil && named != "" {
		return nil, named, nil
	}
	if meta == nil {
		meta = map[string]json.RawMessage{}
	}
	if meta[version], err = json.Marshal(before); err != nil {
		return nil, "", err
	}
	if patch[metadata], err = json.Marshal(meta); err != nil {
		return nil, "", err
	}
	conditional, err = json.Marshal(patch)
	return conditional, "", err
}

func jsonWithPrecondition(data []byte, before string) ([]byte, string, error) {
	var operations []json.RawMessage
	if err := json.Unmarshal(data, &operations); err != nil {
		return nil, "", fmt.Errorf("read patch: %w", err)
	}
	const path = "/metadata/resourceVersion"
	for _, o := range operations {
		var named struct{ Op, Path, Value string }
		if json.Unmarshal(o, &named) == nil && named.Path == path && named.Value != "" {
			return nil, named.Value, nil
		}
	}
	replace, err := json.Marshal(map[string]string{"op": "replace", "path": path, "value": before})
	if err != nil {
		return nil, "", err
	}
	data, err = json.Marshal(append(operations, replace))
	return data, "", err
}
