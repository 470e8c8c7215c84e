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

package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

func inventory(n int) map[string]*store.Entry {
	entries := map[string]*store.Entry{}
	for i := range n {
		entries[fmt.Sprintf("namespace-%d/object-%d", i%10, i)] = &store.Entry{
			UID:             fmt.Sprintf("%08x-0000-4000-8000-%012x", i*2654435761%(1<<32), i),
			ResourceVersion: fmt.Sprint(1_000_000 + i), State: bytes.Repeat([]byte{byte(i)}, i%9),
		}
		if i%7 == 0 {
			entries[fmt.Sprintf("namespace-%d/object-%d", i%10, i)] = nil
		}
	}
	return entries
}

func TestBlock(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 1000} {
		want := inventory(n)
		got, err := codec.DecodeInventory(codec.EncodeInventory(want))
		if err != nil {
			t.Fatalf("%d entries: %v", n, err)
		}
		if !maps.EqualFunc(got, want, func(a, b *store.Entry) bool { return cmp.Equal(a, b, equateNil()) }) {
			t.Errorf("%d entries: not the same", n)
		}
	}
	if got, err := codec.DecodeInventory(nil); err != nil || len(got) != 0 {
		t.Errorf("nothing: got %v, %v", got, err)
	}
}

func equateNil() cmp.Option {
	return cmp.Comparer(bytes.Equal)
}

func TestBlockDamaged(t *testing.T) {
	t.Parallel()
	sound := codec.EncodeInventory(inventory(20))
	for at := range sound {
		for _, flip := range []byte{1, 0x80, 0xff} {
			b := bytes.Clone(sound)
			b[at] ^= flip
			if _, err := codec.DecodeInventory(b); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("byte %d: got %v, want damaged", at, err)
			}
		}
		if at == 0 {
			continue
		}
		if _, err := codec.DecodeInventory(sound[:at]); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("cut to %d bytes: got %v, want damaged", at, err)
		}
	}
	if _, err := codec.DecodeInventory(codec.AppendChecksum([]byte{2})); !errors.Is(err, store.ErrForeign) {
		t.Errorf("another format: got %v, want foreign", err)
	}
}

func TestSealTellsTheContext(t *testing.T) {
	t.Parallel()
	if _, err := codec.VerifyChecksum(codec.AppendChecksum([]byte("value"), []byte("key")...), []byte("kez")...); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want damaged", err)
	}
}

func TestIDTellsPartsApart(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"1:a"}, {"a1:", ""}} {
		ids[codec.ID(parts...)] = true
	}
	if len(ids) != 7 {
		t.Errorf("%d IDs, want 7", len(ids))
	}
}

// FuzzBlock: whatever the bytes behind a right checksum are, they are read as
// what would be written the same, or refused.
func FuzzBlock(f *testing.F) {
	sealed := codec.EncodeInventory(inventory(10))
	f.Add(sealed[:len(sealed)-4])
	f.Add([]byte{1, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := codec.DecodeInventory(codec.AppendChecksum(bytes.Clone(b)))
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrForeign) {
				t.Fatalf("neither damaged nor foreign: %v", err)
			}
			return
		}
		again, err := codec.DecodeInventory(codec.EncodeInventory(entries))
		if err != nil || !maps.EqualFunc(again, entries, func(a, b *store.Entry) bool { return cmp.Equal(a, b, equateNil()) }) {
			t.Fatalf("%x: not the same when written again: %v", b, err)
		}
	})
}

// FuzzEvent: what is read as an event can be stored again, and again.
func FuzzEvent(f *testing.F) {
	text, err := codec.EncodeEvent(event.Event{ID: "a", Time: time.Unix(0, 0), Data: map[string]any{"n": int64(1)}, Old: map[string]any{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"data":{"n":1e400}}`))
	f.Add([]byte(`{"data":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ev, err := codec.DecodeEvent(b)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("not damaged: %v", err)
			}
			return
		}
		text, err := codec.EncodeEvent(ev)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		again, err := codec.DecodeEvent(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if same, err := codec.EncodeEvent(again); err != nil || !bytes.Equal(same, text) {
			t.Fatalf("%q, then %q: %v", text, same, err)
		}
	})
}

// FuzzPrepare: no six bytes of a Secret's value are in the letter's text.
func FuzzPrepare(f *testing.F) {
	f.Add("password hunter22 is wrong", "hunter22")
	f.Add("xäöü", "äöü")
	f.Fuzz(func(t *testing.T, text, value string) {
		ev := event.Event{Data: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "stringData": map[string]any{"v": value},
		}}
		l, err := codec.PrepareDeadLetter(store.DeadLetter{Event: ev, Error: text}, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if l.Error == text {
			for i := 0; i+6 <= len(value); i++ {
				if bytes.Contains([]byte(text), []byte(value[i:i+6])) {
					t.Fatalf("%q quotes %q", text, value[i:i+6])
				}
			}
		}
		stored, err := json.Marshal(l.Event.Data)
		if err != nil || string(stored) != `{"apiVersion":"v1","kind":"Secret"}` {
			t.Fatalf("stored: %s, %v", stored, err)
		}
	})
}

// TestFormat notices that what is stored changes, so that stores of before are
// read wrongly. Whoever means it raises the formats of the stores.
func TestFormat(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	trigger := event.TriggerRef{Name: "n", Namespace: "ns"}
	ev := event.Event{
		Source: "s", Type: "t", ID: "i", Cluster: "c", Key: "k", Data: map[string]any{"d": int64(1)}, Old: map[string]any{},
		Unchanged: []string{"u"}, Triggers: []event.TriggerRef{trigger}, Writer: "w", Time: at,
	}
	text, err := codec.EncodeEvent(ev)
	if err != nil {
		t.Fatal(err)
	}
	letter, err := codec.EncodeDeadLetter(store.DeadLetter{
		ID: "i", Trigger: trigger, Event: event.Event{ID: "e", Time: at}, Omitted: store.OmittedSize, Reason: "r", Error: "e",
		Attempts: 1, FirstAttempt: at, LastAttempt: at, StoredAt: at,
	})
	if err != nil {
		t.Fatal(err)
	}
	run, err := json.Marshal(store.Run{
		Time: at, Trigger: trigger, Source: "s", Type: "t", Key: "k", EventID: "i", Outcome: "o", Reason: "r",
		Attempts: 1, Duration: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	uuid := &store.Entry{UID: "00010203-0405-0607-0809-0a0b0c0d0e0f", ResourceVersion: "300", State: []byte("s")}
	block := codec.EncodeInventory(map[string]*store.Entry{"a/b": uuid, "a/c": {UID: "u", ResourceVersion: "v"}, "a/d": nil})
	for name, c := range map[string]struct{ got, want string }{
		"event": {string(text), `{"source":"s","type":"t","id":"i","cluster":"c","key":"k","data":{"d":1},"old":{},"unchanged":["u"],"for":[{"Name":"n","Namespace":"ns"}],"writer":"w","time":"2026-03-01T12:00:00Z"}`},
		"letter": {string(letter), `{"letter":{"id":"i","trigger":{"Name":"n","Namespace":"ns"},"omitted":"too large","reason":"r","error":"e","attempts":1,` +
			`"first":"2026-03-01T12:00:00Z","last":"2026-03-01T12:00:00Z","buried":"2026-03-01T12:00:00Z"},"event":{"id":"e","time":"2026-03-01T12:00:00Z"}}`},
		"run":   {string(run), `{"time":"2026-03-01T12:00:00Z","trigger":{"Name":"n","Namespace":"ns"},"source":"s","type":"t","key":"k","event":"i","outcome":"o","reason":"r","attempts":1,"duration":1000000000}`},
		"block": {fmt.Sprintf("%x", block), "010003612f620e000102030405060708090a0b0c0d0e0fac020173020163000175017602016401abc98710"},
		"id":    {codec.ID("a", "b"), "facdde7abf1eac5b301273ab2e282f79"},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, c.got, c.want)
		}
	}
}
