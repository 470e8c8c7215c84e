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

// conditional is a patch that is to change a revision which is known.
type conditional struct {
	*recorder
	at   object
	obj  client.Object
	kind types.PatchType
	data []byte
	// patch sends it; answer is what holds the answer then.
	patch  func(ctx context.Context, p client.Patch) error
	answer client.Object
}

// send sends the patch, until the object has not changed since it was read.
// Where the object cannot be read, or never stands still, the patch is sent
// without the condition, and not remembered.
func (p conditional) send(ctx context.Context) error {
	before := p.trigger.known(p.at)
	for range rounds {
		if before == "" {
			now, err := p.current(ctx, p.obj)
			if apierrors.IsNotFound(err) {
				return p.made(ctx, p.at, p.answer, "", p.request(ctx, p.data))
			}
			if err != nil {
				break
			}
			before = now
		}
		data, own, err := condition(p.kind, p.data, before)
		if err != nil {
			break
		}
		if own != "" {
			return p.made(ctx, p.at, p.answer, own, p.request(ctx, p.data))
		}
		err = p.request(ctx, data)
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return p.made(ctx, p.at, p.answer, before, err)
		}
		now, unread := p.current(ctx, p.obj)
		if unread != nil && !apierrors.IsNotFound(unread) || now == before {
			return err
		}
		before = now
	}
	return p.note(ctx, p.answer, p.request(ctx, p.data))
}

func (p conditional) request(ctx context.Context, data []byte) error {
	return p.patch(ctx, client.RawPatch(p.kind, data))
}

// condition returns a patch that does as data does, if the object's revision is
// before. A patch that names a revision by itself is left alone; own is that
// revision.
func condition(kind types.PatchType, data []byte, before string) (conditional []byte, own string, err error) {
	if kind == types.JSONPatchType {
		return jsonCondition(data, before)
	}
	const metadata, version = "metadata", "resourceVersion"
	var whole, meta map[string]json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, "", fmt.Errorf("read patch: %w", err)
	}
	if whole == nil {
		whole = map[string]json.RawMessage{}
	}
	if m, ok := whole[metadata]; ok {
		if err := json.Unmarshal(m, &meta); err != nil {
			return nil, "", fmt.Errorf("read metadata of patch: %w", err)
		}
	}
	if v, ok := meta[version]; ok && json.Unmarshal(v, &own) == nil && own != "" {
		return nil, own, nil
	}
	if meta == nil {
		meta = map[string]json.RawMessage{}
	}
	if meta[version], err = json.Marshal(before); err != nil {
		return nil, "", err
	}
	if whole[metadata], err = json.Marshal(meta); err != nil {
		return nil, "", err
	}
	conditional, err = json.Marshal(whole)
	return conditional, "", err
}

func jsonCondition(data []byte, before string) ([]byte, string, error) {
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
