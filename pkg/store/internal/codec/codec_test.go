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
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

func values(n int) map[string][]byte {
	all := map[string][]byte{}
	for i := range n {
		all[fmt.Sprintf("namespace-%d/object-%d", i%10, i)] = bytes.Repeat([]byte{byte(i)}, i%9)
		if i%7 == 0 {
			all[fmt.Sprintf("namespace-%d/object-%d", i%10, i)] = nil
		}
	}
	return all
}

func TestValues(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 1000} {
		want := values(n)
		got, err := codec.DecodeValues(codec.EncodeValues(want))
		if err != nil {
			t.Fatalf("%d values: %v", n, err)
		}
		if !maps.EqualFunc(got, want, equalValue) {
			t.Errorf("%d values: decoded values differ", n)
		}
	}
	if got, err := codec.DecodeValues(nil); err != nil || len(got) != 0 {
		t.Errorf("no bytes: got %v, %v", got, err)
	}
}

// equalValue distinguishes nil from an empty value.
func equalValue(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func TestValues_Damaged(t *testing.T) {
	t.Parallel()
	valid := codec.EncodeValues(values(20))
	for i := range valid {
		for _, flip := range []byte{1, 0x80, 0xff} {
			b := bytes.Clone(valid)
			b[i] ^= flip
			if _, err := codec.DecodeValues(b); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("byte %d: got %v, want damaged", i, err)
			}
		}
		if i == 0 {
			continue
		}
		if _, err := codec.DecodeValues(valid[:i]); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("cut to %d bytes: got %v, want damaged", i, err)
		}
	}
	if _, err := codec.DecodeValues(codec.AppendChecksum([]byte{1})); !errors.Is(err, store.ErrForeign) {
		t.Errorf("another format: got %v, want foreign", err)
	}
}

func TestVerifyChecksum_Context(t *testing.T) {
	t.Parallel()
	if _, err := codec.VerifyChecksum(codec.AppendChecksum([]byte("value"), []byte("key")...), []byte("kez")...); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want damaged", err)
	}
}

func TestID_Parts(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"1:a"}, {"a1:", ""}} {
		ids[codec.ID(parts...)] = true
	}
	if len(ids) != 7 {
		t.Errorf("%d IDs, want 7", len(ids))
	}
}

// FuzzDecodeValues: bytes with a valid checksum are rejected, or the decoded
// values are the same after encoding them again.
func FuzzDecodeValues(f *testing.F) {
	encoded := codec.EncodeValues(values(10))
	f.Add(encoded[:len(encoded)-4])
	f.Add([]byte{2, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		values, err := codec.DecodeValues(codec.AppendChecksum(bytes.Clone(b)))
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrForeign) {
				t.Fatalf("neither damaged nor foreign: %v", err)
			}
			return
		}
		again, err := codec.DecodeValues(codec.EncodeValues(values))
		if err != nil || !maps.EqualFunc(again, values, equalValue) {
			t.Fatalf("%x: not the same after encoding again: %v", b, err)
		}
	})
}

// FuzzDecodeEvent: bytes are rejected, or the decoded event can be encoded again with
// the same result.
func FuzzDecodeEvent(f *testing.F) {
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

// FuzzPrepareDeadLetter: the error does not contain six bytes of a Secret's value.
func FuzzPrepareDeadLetter(f *testing.F) {
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
					t.Fatalf("%q contains %q", text, value[i:i+6])
				}
			}
		}
		stored, err := json.Marshal(l.Event.Data)
		if err != nil || string(stored) != `{"apiVersion":"v1","kind":"Secret"}` {
			t.Fatalf("stored: %s, %v", stored, err)
		}
	})
}

// TestFormat fails if the stored form changes, so that stores of earlier versions could
// not be read. After an intended change, increment the formats of the stores.
func TestFormat(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	trigger := event.TriggerRef{Name: "n", Namespace: "ns"}
	ev := event.Event{
		Source: "s", Type: "t", ID: "i", Cluster: "c", Key: "k", Data: map[string]any{"d": int64(1)}, Old: map[string]any{},
		Time: at,
	}
	text, err := codec.EncodeEvent(ev)
	if err != nil {
		t.Fatal(err)
	}
	deadLetter, err := codec.EncodeDeadLetter(store.DeadLetter{
		ID: "i", Trigger: trigger, Event: event.Event{ID: "e", Time: at}, Omitted: store.OmittedSize, Reason: "r", Error: "e",
		Attempts: 1, FirstAttempt: at, LastAttempt: at, StoredAt: at,
	})
	if err != nil {
		t.Fatal(err)
	}
	encoded := codec.EncodeValues(map[string][]byte{"a/b": []byte("value"), "a/c": {}, "a/d": nil})
	for name, c := range map[string]struct{ got, want string }{
		"event": {string(text), `{"source":"s","type":"t","id":"i","cluster":"c","key":"k","data":{"d":1},"old":{},"time":"2026-03-01T12:00:00Z"}`},
		"dead letter": {string(deadLetter), `{"deadLetter":{"id":"i","trigger":{"Name":"n","Namespace":"ns"},"omitted":"too large","reason":"r","error":"e","attempts":1,` +
			`"first":"2026-03-01T12:00:00Z","last":"2026-03-01T12:00:00Z","storedAt":"2026-03-01T12:00:00Z"},"event":{"id":"e","time":"2026-03-01T12:00:00Z"}}`},
		"values": {fmt.Sprintf("%x", encoded), "020003612f620676616c75650201630102016400e37f0187"},
		"id":     {codec.ID("a", "b"), "facdde7abf1eac5b301273ab2e282f79"},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, c.got, c.want)
		}
	}
}

// TestPrepareDeadLetter_Encoded: an error that has the value of the event's Secret encoded
// is stored without it.
func TestPrepareDeadLetter_Encoded(t *testing.T) {
	const value = "correct horse"
	for _, text := range []string{hex.EncodeToString([]byte(value)), base64.StdEncoding.EncodeToString([]byte("user:" + value))} {
		l, err := codec.PrepareDeadLetter(store.DeadLetter{Error: "echo " + text, Event: event.Event{Data: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "stringData": map[string]any{"a": value},
		}}}, time.Now())
		if err != nil || !strings.Contains(l.Error, "(redacted)") {
			t.Errorf("got error %q, %v, want a redacted one", l.Error, err)
		}
	}
}
