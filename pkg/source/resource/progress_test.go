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

// kept is what a progress has saved.
type kept struct {
	position  string
	inventory map[string]*store.Entry
}

func newKept() (*kept, *progress) {
	k := &kept{inventory: map[string]*store.Entry{}}
	return k, newProgress(func(c store.Change) {
		if c.Mark != nil {
			k.position = c.Mark.Position
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
func (k *kept) String() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(k.inventory)) {
		e := k.inventory[key]
		cross := ""
		if isGrave(*e) {
			cross = "+"
		}
		all = append(all, fmt.Sprintf("%s@%s%s", key, e.ResourceVersion, cross))
	}
	return k.position + ": " + strings.Join(all, " ")
}

func (k *kept) want(t *testing.T, want string) {
	t.Helper()
	if got := k.String(); got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
}

func at(resourceVersion string) outcome {
	return outcome{entry: &store.Entry{ResourceVersion: resourceVersion}}
}

func TestProgressKeepsWhatIsDone(t *testing.T) {
	k, p := newKept()
	p.note(map[string]*store.Entry{"a": {ResourceVersion: "1"}, "b": {ResourceVersion: "2"}})
	p.pass("5")
	k.want(t, "5: a@1 b@2")
	a6, _ := p.begin("a", "6", at("6"))
	b7, _ := p.begin("b", "7", at("7"))
	a8, _ := p.begin("a", "8", at("8"))
	a8()
	k.want(t, "5: a@1 b@2") // a@6 is open
	b7()
	k.want(t, "5: a@1 b@7")
	a6()
	k.want(t, "8: a@8 b@7")
	if len(p.chains) != 0 {
		t.Errorf("%d objects are remembered", len(p.chains))
	}
}

func TestProgressBuriesUntilItHasPassed(t *testing.T) {
	k, p := newKept()
	p.pass("5")
	open6, _ := p.begin("open", "6", at("6"))
	a7, _ := p.begin("a", "7", at("7"))
	a8, _ := p.begin("a", "8", outcome{gone: 8})
	b9, _ := p.begin("b", "9", outcome{gone: 9})
	a7()
	a8()
	b9()
	k.want(t, "5: a@8+ b@9+")
	b10, _ := p.begin("b", "10", at("10"))
	b10()
	k.want(t, "5: a@8+ b@10")
	open6()
	k.want(t, "10: b@10 open@6")
	b11, _ := p.begin("b", "11", outcome{gone: 11})
	b11()
	k.want(t, "11: open@6")
}

func TestProgressTakesGravesOver(t *testing.T) {
	k, p := newKept()
	p.note(map[string]*store.Entry{"a": newGrave(8), "b": newGrave(7)})
	p.restore("5", map[string]version{"a": 8, "b": 7})
	p.pass("6")
	k.want(t, "6: a@8+ b@7+")
	p.pass("7")
	k.want(t, "7: a@8+")
	p.lose(broken)
	k.want(t, "0: ")
}

// A position from before the stream broke off is not kept again.
func TestProgressComparesUntilThatIsDone(t *testing.T) {
	k, p := newKept()
	p.note(map[string]*store.Entry{"a": {ResourceVersion: "1"}})
	p.pass("5")
	a6, _ := p.begin("a", "6", at("6"))
	p.lose(broken)
	listed, _ := p.begin("b", "", at("19"))
	gone, _ := p.begin("a", "", outcome{})
	p.pass("20")
	a6()
	k.want(t, "0: a@6")
	listed()
	k.want(t, "0: a@6 b@19")
	gone()
	k.want(t, "20: b@19")
}

func TestProgressForgetsWhatWasNotDelivered(t *testing.T) {
	k, p := newKept()
	p.pass("5")
	a6, _ := p.begin("a", "6", at("6"))
	_, cancel := p.begin("a", "7", at("7"))
	cancel()
	_, cancel = p.begin("b", "8", at("8"))
	cancel()
	a6()
	k.want(t, "6: a@6")
	if len(p.chains) != 0 {
		t.Errorf("%d objects are remembered", len(p.chains))
	}
}

// What is noted of an object waits for its events.
func TestProgressNotesInOrder(t *testing.T) {
	k, p := newKept()
	gone, _ := p.begin("a", "", outcome{})
	p.note(map[string]*store.Entry{"a": {ResourceVersion: "9"}, "b": {ResourceVersion: "9"}})
	k.want(t, ": b@9")
	gone()
	k.want(t, ": a@9 b@9")
}
