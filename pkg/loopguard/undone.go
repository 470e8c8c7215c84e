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
	"hash/fnv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// stampPrefix is the prefix of annotations that differ for each event.
const stampPrefix = "trigger.oam.dev/"

// lastWrite is the last write of a trigger to the object of its event that changed it.
type lastWrite struct {
	// event is the ID of the event, and uid the UID of its object.
	event, uid string
	// content identifies the patch.
	content uint64
	// undone is that of Detector.Undone.
	undone int
}

// Undone returns how many times in a row the trigger had to repeat its write to the
// object of ev, because others had undone it: the same patch changed the object again. It
// is 0 if that is not known of any.
func (d *Detector) Undone(ev event.Event) int {
	target, _ := targetOf(ev)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lastWrites.all[target].undone
}

// recordContent records a patch that changed target, if that is the object of the action's
// event. What the trigger has written in between, such as a later step, was not undone by
// others.
func (d *Detector) recordContent(ctx context.Context, target object, content uint64) {
	c, _ := ctx.Value(chainKey{}).(chain)
	if content == 0 || target.key == "" || c.target != target {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	last, now := d.lastWrites.all[target], lastWrite{event: c.event, uid: c.uid, content: content}
	if last.content == now.content && last.uid == now.uid {
		now.undone = last.undone
		if last.event != now.event {
			now.undone++
		}
	}
	d.lastWrites.add(target, now)
}

// targetOf returns the object that ev is about, and its UID.
func targetOf(ev event.Event) (target object, uid string) {
	target, _ = eventObject(ev)
	metadata, _ := ev.Data["metadata"].(map[string]any)
	uid, _ = metadata["uid"].(string)
	return target, uid
}

// contentOf identifies what a patch changes, apart from what differs for each event:
// preconditions and stamps. It is 0 if there is nothing else.
func contentOf(kind types.PatchType, data []byte) uint64 {
	var fields map[string]any
	if json.Unmarshal(data, &fields) == nil {
		if metadata, ok := fields["metadata"].(map[string]any); ok {
			delete(metadata, "resourceVersion")
			delete(metadata, "uid")
		}
		if removeStamps(fields); len(fields) == 0 {
			return 0
		}
		data, _ = json.Marshal(fields) // decoded JSON
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind)) // never fails
	_, _ = h.Write(data)
	return max(h.Sum64(), 1)
}

// removeStamps removes stamps, and fields that are empty without them.
func removeStamps(fields map[string]any) {
	for name, value := range fields {
		child, ok := value.(map[string]any)
		if ok {
			removeStamps(child)
		}
		if ok && len(child) == 0 || strings.HasPrefix(name, stampPrefix) {
			delete(fields, name)
		}
	}
}
