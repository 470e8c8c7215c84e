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

package store_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// The file store.db.gz in testdata is a store of format 1. Sources of c55143b have
// written it: two triggers of a watch of ConfigMaps, and one that was
// added while an event was pending; a derived watch; a schedule with two pending ticks; a
// view; and a webhook with two events in the queue and one that is done. store.json
// contains what c55143b read from it.
const oldOwner = "/etc/kube-trigger/config.yaml"

// oldStore is the content of a store of format 1.
type oldStore struct {
	Resumes map[string]struct {
		Position  string
		Triggers  []string
		Inventory map[string]struct {
			UID, ResourceVersion string
			Seen                 []byte
		}
	}
	Letters map[string]map[string]any
	Spooled map[string][]event.Event
}

func readOldStore(t *testing.T, name string) oldStore {
	t.Helper()
	var old oldStore
	must(t, json.Unmarshal(got(os.ReadFile("testdata/"+name))(t), &old))
	return old
}

func unzip(t *testing.T, name string) []byte {
	t.Helper()
	r := got(gzip.NewReader(bytes.NewReader(got(os.ReadFile("testdata/" + name))(t))))(t)
	return got(io.ReadAll(r))(t)
}

// wantMigrated checks that s contains what old does.
func wantMigrated(t *testing.T, s store.Store, old oldStore) {
	t.Helper()
	ctx := t.Context()
	triggers, since := map[string][]byte{}, ""
	for name, r := range old.Resumes {
		c := got(s.Checkpoints().Load(ctx, name))(t)
		assertEqual(t, c.Cursor, r.Position)
		values := 0
		for key, e := range r.Inventory {
			switch {
			case strings.HasPrefix(name, "cronjob:"):
				if v, ok := c.Values[key]; !ok || len(v) > 0 {
					t.Errorf("tick %s: %q, %t", key, v, ok)
				}
			case strings.HasPrefix(name, "webhook:"):
				seconds, _ := binary.Varint(c.Values[key])
				assertEqual(t, strconv.FormatInt(seconds, 10), e.ResourceVersion)
			case strings.HasPrefix(name, "velaql:"):
				var text []byte
				for i := range len(r.Inventory) {
					text = append(text, r.Inventory[fmt.Sprintf("old/%04d", i)].Seen...)
				}
				assertEqual(t, c.Values, map[string][]byte{"result": text})
				values = 0 // one value for all pieces
			default:
				v := c.Values["object/"+key]
				id, _ := uuid.Parse(e.UID)
				version := binary.AppendUvarint(nil, got(strconv.ParseUint(e.ResourceVersion, 10, 64))(t))
				if e.UID != "" && !bytes.Contains(v, id[:]) || !bytes.Contains(v, version) || !bytes.HasSuffix(v, e.Seen) || len(v) == 0 {
					t.Errorf("object %s: %x, want %v", key, v, e)
				}
			}
			values++
		}
		for _, text := range r.Triggers {
			if _, version, ok := strings.Cut(text, "team/added?since="); ok {
				since = version
			}
		}
		for value, v := range c.Values {
			if trigger, ok := strings.CutPrefix(value, "trigger/"); ok {
				triggers[trigger] = v
				values++
			}
		}
		assertEqual(t, len(c.Values), values)
	}
	assertEqual(t, triggers, map[string][]byte{
		"second": []byte(`{}`), "team/first": []byte(`{"syncedTo":"` + "\U0010ffff" + `"}`), "team/events": []byte(`{}`),
		"team/added": fmt.Appendf(nil, `{"startsAfter":%q}`, since),
	})
	wantMigratedEvents(t, s, old)
}

// wantMigratedEvents checks the dead letters and the queue, and that both can be used.
func wantMigratedEvents(t *testing.T, s store.Store, old oldStore) {
	t.Helper()
	ctx := t.Context()
	list := got(s.DeadLetters().List(ctx))(t)
	if len(list.Items) != 2 || list.Dropped != 1 {
		t.Fatalf("%d dead letters, %d dropped; want 2 and 1", len(list.Items), list.Dropped)
	}
	requested := list.Items[1].ID
	assertEqual(t, got(s.DeadLetters().ReplayRequested(ctx))(t), []string{requested})
	for i, l := range list.Items {
		if l.StoredAt.Year() != 2026 || l.LastAttempt.IsZero() || l.Attempts != 2 || l.Reason != "TerminalError" || l.ReplayRequestedAt.IsZero() != (i == 0) {
			t.Errorf("dead letter %+v", l)
		}
		full := got(s.DeadLetters().Get(ctx, l.ID))(t)
		assertEqual(t, len(full.Event.Data), len(old.Letters[l.ID]))
		assertEqual(t, full.Event.Old, map[string]any{"n": int64(0)})
	}
	must(t, s.DeadLetters().Delete(ctx, requested))
	must(t, s.DeadLetters().RequestReplay(ctx, list.Items[0].ID))
	assertEqual(t, got(s.DeadLetters().ReplayRequested(ctx))(t), []string{list.Items[0].ID})

	for source, want := range old.Spooled {
		events := queued(t, s, source)
		if len(events) != len(want) {
			t.Fatalf("%d events in the queue, want %d", len(events), len(want))
		}
		for i, ev := range events {
			if ev.ID != want[i].ID || ev.Source != source || !ev.Time.Equal(want[i].Time) || fmt.Sprint(ev.Data) != fmt.Sprint(want[i].Data) {
				t.Errorf("event %v, want %v", ev, want[i])
			}
			must(t, s.Queue().Enqueue(ctx, ev)) // is in the queue already
		}
		must(t, s.Queue().Enqueue(ctx, event.Event{Source: source, ID: "later"}))
		must(t, s.Queue().Ack(ctx, source, events[0].ID))
		ids := slices.Collect(func(yield func(string) bool) {
			for _, ev := range queued(t, s, source) {
				yield(ev.ID)
			}
		})
		assertEqual(t, ids, []string{want[1].ID, "later"})
	}
}

func TestMigrate_File(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	old := unzip(t, "store.db.gz")
	must(t, os.WriteFile(path, old, 0o600))
	clock := testclock.NewFakeClock(noon())
	_, err := file.Open(t.Context(), path, file.Options{Owner: "/other.yaml"})
	if owned := (*file.OwnedError)(nil); !errors.As(err, &owned) || owned.Owner != oldOwner {
		t.Errorf("another owner: %v", err)
	}
	if now := got(os.ReadFile(path))(t); !bytes.Equal(now, old) {
		t.Error("modified for another owner")
	}
	o := file.Options{Owner: oldOwner, Clock: clock, Limits: store.Limits{DeadLetters: 2}}
	must(t, got(file.Open(t.Context(), path, o))(t).Close())
	s := got(file.Open(t.Context(), path, o))(t)
	want := readOldStore(t, "store.json")
	assertEqual(t, len(got(s.Checkpoints().List(t.Context()))(t)), len(want.Resumes))
	wantMigrated(t, s, want)
	must(t, s.Close())
	// The whole file is verified.
	must(t, got(file.Open(t.Context(), path, o))(t).Close())
}
