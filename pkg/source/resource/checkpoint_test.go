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

package resource

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// savedState is the state that a checkpointer has saved.
type savedState struct {
	position  string
	inventory map[string][]byte
}

// newTestCheckpointer returns a checkpointer and the state that it saves.
func newTestCheckpointer() (*savedState, *checkpointer) {
	saved := &savedState{inventory: map[string][]byte{}}
	return saved, newCheckpointer(func(c store.Change) {
		if c.Cursor != nil {
			saved.position = *c.Cursor
		}
		for name, value := range c.Values {
			key := strings.TrimPrefix(name, objectPrefix)
			if value == nil {
				delete(saved.inventory, key)
			} else {
				saved.inventory[key] = value
			}
		}
	})
}

// String returns "position: key@version …". The version of a tombstone ends with "+".
func (s *savedState) String() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.inventory)) {
		o, err := decodeObject(s.inventory[key])
		if err != nil {
			return err.Error()
		}
		mark := ""
		if isTombstone(o) {
			mark = "+"
		}
		all = append(all, fmt.Sprintf("%s@%s%s", key, o.resourceVersion, mark))
	}
	return s.position + ": " + strings.Join(all, " ")
}

func (s *savedState) want(t *testing.T, want string) {
	t.Helper()
	if got := s.String(); got != want {
		t.Errorf("saved %q, want %q", got, want)
	}
}

func objectAt(resourceVersion string) *savedObject {
	return &savedObject{resourceVersion: resourceVersion}
}

func updateTo(resourceVersion string) inventoryUpdate {
	return inventoryUpdate{object: objectAt(resourceVersion)}
}

func TestCheckpointer_Done(t *testing.T) {
	saved, c := newTestCheckpointer()
	c.saveObjects(map[string]*savedObject{"a": objectAt("1"), "b": objectAt("2")})
	c.advance("5")
	saved.want(t, "5: a@1 b@2")
	a6, _ := c.begin("a", "6", updateTo("6"))
	b7, _ := c.begin("b", "7", updateTo("7"))
	a8, _ := c.begin("a", "8", updateTo("8"))
	a8()
	saved.want(t, "5: a@1 b@2") // a@6 is pending
	b7()
	saved.want(t, "5: a@1 b@7")
	a6()
	saved.want(t, "8: a@8 b@7")
	if len(c.pending) != 0 {
		t.Errorf("%d objects are pending", len(c.pending))
	}
}

func TestCheckpointer_Tombstones(t *testing.T) {
	saved, c := newTestCheckpointer()
	c.advance("5")
	open6, _ := c.begin("open", "6", updateTo("6"))
	a7, _ := c.begin("a", "7", updateTo("7"))
	a8, _ := c.begin("a", "8", inventoryUpdate{deletedAt: 8})
	b9, _ := c.begin("b", "9", inventoryUpdate{deletedAt: 9})
	a7()
	a8()
	b9()
	saved.want(t, "5: a@8+ b@9+")
	b10, _ := c.begin("b", "10", updateTo("10"))
	b10()
	saved.want(t, "5: a@8+ b@10")
	open6()
	saved.want(t, "10: b@10 open@6")
	b11, _ := c.begin("b", "11", inventoryUpdate{deletedAt: 11})
	b11()
	saved.want(t, "11: open@6")
}

func TestCheckpointer_RestoreTombstones(t *testing.T) {
	saved, c := newTestCheckpointer()
	c.saveObjects(map[string]*savedObject{"a": newTombstone(8), "b": newTombstone(7)})
	c.restore("5", map[string]version{"a": 8, "b": 7})
	c.advance("6")
	saved.want(t, "6: a@8+ b@7+")
	c.advance("7")
	saved.want(t, "7: a@8+")
	c.reset(positionRelist)
	saved.want(t, "0: ")
}

// After a reset, the position of an earlier event must not be saved.
func TestCheckpointer_Reset(t *testing.T) {
	saved, c := newTestCheckpointer()
	c.saveObjects(map[string]*savedObject{"a": objectAt("1")})
	c.advance("5")
	a6, _ := c.begin("a", "6", updateTo("6"))
	c.reset(positionRelist)
	listed, _ := c.begin("b", "", updateTo("19"))
	gone, _ := c.begin("a", "", inventoryUpdate{})
	c.advance("20")
	a6()
	saved.want(t, "0: a@6")
	listed()
	saved.want(t, "0: a@6 b@19")
	gone()
	saved.want(t, "20: b@19")
}

func TestCheckpointer_Cancel(t *testing.T) {
	saved, c := newTestCheckpointer()
	c.advance("5")
	a6, _ := c.begin("a", "6", updateTo("6"))
	_, cancel := c.begin("a", "7", updateTo("7"))
	cancel()
	_, cancel = c.begin("b", "8", updateTo("8"))
	cancel()
	a6()
	saved.want(t, "6: a@6")
	if len(c.pending) != 0 {
		t.Errorf("%d objects are pending", len(c.pending))
	}
}

// Objects are saved after their pending events are done.
func TestCheckpointer_SaveObjects(t *testing.T) {
	saved, c := newTestCheckpointer()
	gone, _ := c.begin("a", "", inventoryUpdate{})
	c.saveObjects(map[string]*savedObject{"a": objectAt("9"), "b": objectAt("9")})
	saved.want(t, ": b@9")
	gone()
	saved.want(t, ": a@9 b@9")
}
