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
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	clusterstore "github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// The files store.db.gz and objects.json.gz in testdata are stores of format 1. Sources
// of c55143b have written them: two triggers of a watch of ConfigMaps, and one that was
// added while an event was pending; a derived watch; a schedule with two pending ticks; a
// view; and a webhook with two events in the queue and one that is done. store.json and
// objects.json contain what c55143b read from them.
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
	delete(triggers, "team/pods") // of the checkpoint with shards
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

// cutOff fails writes of stored objects once no write remains. If deliver is set, the
// server gets them nevertheless.
type cutOff struct {
	http.RoundTripper
	remaining atomic.Int64
	deliver   bool
}

func (f *cutOff) RoundTrip(r *http.Request) (*http.Response, error) {
	stored := strings.Contains(r.URL.Path, "/configmaps") || strings.Contains(r.URL.Path, "/triggerevents")
	if r.Method == http.MethodGet || !stored || f.remaining.Add(-1) >= 0 {
		return f.RoundTripper.RoundTrip(r)
	}
	if f.deliver {
		if resp, err := f.RoundTripper.RoundTrip(r); err == nil {
			resp.Body.Close()
		}
	}
	return nil, errors.New("connection lost")
}

// TestMigrate_Cluster converts a store, and interrupts that at each of its writes.
func TestMigrate_Cluster(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	c.Install(t, got(filepath.Glob("../../addon/crds/*_triggerevents.yaml"))(t)...)
	client := got(dynamic.NewForConfig(c.Config))(t)
	want := readOldStore(t, "objects.json")
	clock := testclock.NewFakeClock(noon().Add(time.Hour))
	for writes, done := 0, false; !done; writes++ {
		namespace := c.Namespace(t)
		restore(t, client, namespace)
		o := clusterstore.Options{Config: rest.CopyConfig(c.Config), Namespace: namespace, Owner: "notify", Identity: "worker-0", Clock: clock}
		transport := &cutOff{deliver: writes%2 == 1}
		transport.remaining.Store(int64(writes))
		o.Config.Wrap(func(rt http.RoundTripper) http.RoundTripper { transport.RoundTripper = rt; return transport })

		deadLetters := got(clusterstore.OpenDeadLetters(o))(t)
		before := got(deadLetters.List(t.Context()))(t)
		if len(before.Items) != 2 || before.Dropped != 1 || before.Items[1].ReplayRequestedAt.IsZero() {
			t.Errorf("dead letters before the conversion: %+v", before)
		}
		first, err := clusterstore.Open(t.Context(), o)
		if done = err == nil; done {
			must(t, first.Close())
		}
		transport.remaining.Store(1 << 30)
		s := got(clusterstore.Open(t.Context(), o))(t)
		wantMigrated(t, s, want)
		wantShards(t, s)
		assertEqual(t, len(got(s.Checkpoints().List(t.Context()))(t)), len(want.Resumes)+1)
		must(t, s.Close())
		for _, resource := range []string{"configmaps", "triggerevents"} {
			list := got(client.Resource(storedResource(resource)).Namespace(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "trigger.oam.dev/record in (mark,inventory,history,accepted)"}))(t)
			if len(list.Items) > 0 {
				t.Errorf("%d %s of format 1 are left", len(list.Items), resource)
			}
		}
		if t.Failed() {
			t.Fatalf("interrupted after %d writes: %v", writes, err)
		}
	}
}

// wantShards checks the checkpoint that has shards.
func wantShards(t *testing.T, s store.Store) {
	t.Helper()
	c := got(s.Checkpoints().Load(t.Context(), "uid resource-watcher:v1/Pod"))(t)
	if c.Cursor != "77" || len(c.Values) != 4999+1 || c.Values["object/shop/object-7"] != nil || string(c.Values["trigger/team/pods"]) != "{}" {
		t.Errorf("cursor %s with %d values", c.Cursor, len(c.Values))
	}
	if v := c.Values["object/shop/object-8"]; string(v) != "\x00\x0anot a uuid\x06opaque" {
		t.Errorf("object-8: %q", v)
	}
}

// restore creates the objects of a store of format 1.
func restore(t *testing.T, client dynamic.Interface, namespace string) {
	t.Helper()
	var objects []map[string]any
	must(t, json.Unmarshal(unzip(t, "objects.json.gz"), &objects))
	for _, o := range objects {
		u := unstructured.Unstructured{Object: o}
		u.SetNamespace(namespace)
		u.SetResourceVersion("")
		u.SetUID("")
		u.SetManagedFields(nil)
		resource := strings.ToLower(u.GetKind()) + "s"
		_ = got(client.Resource(storedResource(resource)).Namespace(namespace).Create(t.Context(), &u, metav1.CreateOptions{}))(t)
	}
}

func storedResource(resource string) schema.GroupVersionResource {
	if resource == "triggerevents" {
		return v1alpha1.GroupVersion().WithResource(resource)
	}
	return corev1.SchemeGroupVersion.WithResource(resource)
}
