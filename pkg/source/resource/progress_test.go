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

// savedState is what a progress has saved.
type savedState struct {
	position  string
	inventory map[string]*store.Entry
}

func newTestCheckpointer() (*savedState, *checkpointer) {
	k := &savedState{inventory: map[string]*store.Entry{}}
	return k, newCheckpointer(func(c store.Change) {
		if c.Watermark != nil {
			k.position = c.Watermark.Position
		}
		for key, e := range c.Inventory {
			if e == nil {
				delete(k.inventory, key)
			} else {
				k.inventory[key] = e
			}
		}
	})
}

// String returns "position: key@version …", a version with a cross where the
// object is gone.
func (s *savedState) String() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.inventory)) {
		e := s.inventory[key]
		cross := ""
		if isTombstone(*e) {
			cross = "+"
		}
		all = append(all, fmt.Sprintf("%s@%s%s", key, e.ResourceVersion, cross))
	}
	return s.position + ": " + strings.Join(all, " ")
}

func (s *savedState) want(t *testing.T, want string) {
	t.Helper()
	if got := s.String(); got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
}

func updateTo(resourceVersion string) inventoryUpdate {
	return inventoryUpdate{entry: &store.Entry{ResourceVersion: resourceVersion}}
}

func TestProgressKeepsWhatIsDone(t *testing.T) {
	k, p := newTestCheckpointer()
	p.saveEntries(map[string]*store.Entry{"a": {ResourceVersion: "1"}, "b": {ResourceVersion: "2"}})
	p.advance("5")
	k.want(t, "5: a@1 b@2")
	a6, _ := p.begin("a", "6", updateTo("6"))
	b7, _ := p.begin("b", "7", updateTo("7"))
	a8, _ := p.begin("a", "8", updateTo("8"))
	a8()
	k.want(t, "5: a@1 b@2") // a@6 is open
	b7()
	k.want(t, "5: a@1 b@7")
	a6()
	k.want(t, "8: a@8 b@7")
	if len(p.pending) != 0 {
		t.Errorf("%d objects are remembered", len(p.pending))
	}
}

func TestProgressBuriesUntilItHasPassed(t *testing.T) {
	k, p := newTestCheckpointer()
	p.advance("5")
	open6, _ := p.begin("open", "6", updateTo("6"))
	a7, _ := p.begin("a", "7", updateTo("7"))
	a8, _ := p.begin("a", "8", inventoryUpdate{deletedAt: 8})
	b9, _ := p.begin("b", "9", inventoryUpdate{deletedAt: 9})
	a7()
	a8()
	b9()
	k.want(t, "5: a@8+ b@9+")
	b10, _ := p.begin("b", "10", updateTo("10"))
	b10()
	k.want(t, "5: a@8+ b@10")
	open6()
	k.want(t, "10: b@10 open@6")
	b11, _ := p.begin("b", "11", inventoryUpdate{deletedAt: 11})
	b11()
	k.want(t, "11: open@6")
}

func TestProgressTakesGravesOver(t *testing.T) {
	k, p := newTestCheckpointer()
	p.saveEntries(map[string]*store.Entry{"a": newTombstone(8), "b": newTombstone(7)})
	p.restore("5", map[string]version{"a": 8, "b": 7})
	p.advance("6")
	k.want(t, "6: a@8+ b@7+")
	p.advance("7")
	k.want(t, "7: a@8+")
	p.reset(positionRelist)
	k.want(t, "0: ")
}

// A position from before the stream broke off is not kept again.
func TestProgressComparesUntilThatIsDone(t *testing.T) {
	k, p := newTestCheckpointer()
	p.saveEntries(map[string]*store.Entry{"a": {ResourceVersion: "1"}})
	p.advance("5")
	a6, _ := p.begin("a", "6", updateTo("6"))
	p.reset(positionRelist)
	listed, _ := p.begin("b", "", updateTo("19"))
	gone, _ := p.begin("a", "", inventoryUpdate{})
	p.advance("20")
	a6()
	k.want(t, "0: a@6")
	listed()
	k.want(t, "0: a@6 b@19")
	gone()
	k.want(t, "20: b@19")
}

func TestProgressForgetsWhatWasNotDelivered(t *testing.T) {
	k, p := newTestCheckpointer()
	p.advance("5")
	a6, _ := p.begin("a", "6", updateTo("6"))
	_, cancel := p.begin("a", "7", updateTo("7"))
	cancel()
	_, cancel = p.begin("b", "8", updateTo("8"))
	cancel()
	a6()
	k.want(t, "6: a@6")
	if len(p.pending) != 0 {
		t.Errorf("%d objects are remembered", len(p.pending))
	}
}

// What is noted of an object waits for its events.
func TestProgressNotesInOrder(t *testing.T) {
	k, p := newTestCheckpointer()
	gone, _ := p.begin("a", "", inventoryUpdate{})
	p.saveEntries(map[string]*store.Entry{"a": {ResourceVersion: "9"}, "b": {ResourceVersion: "9"}})
	k.want(t, ": b@9")
	gone()
	k.want(t, ": a@9 b@9")
}
