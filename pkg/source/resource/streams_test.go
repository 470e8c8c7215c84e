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

package resource_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// sharing lets a source share the streams of an account.
func sharing(s *resource.Streams, account string) option {
	return func(o *resource.Options) { o.Streams, o.Account = s, account }
}

// runAndWait runs h and waits until it watches again.
func (h *harness) runAndWait() {
	h.t.Helper()
	h.mu.Lock()
	h.lines = nil
	h.mu.Unlock()
	h.run()
	eventually(h.t, func() bool { return h.logged(`"msg"="watching"`) })
}

// Watches of one account have one stream, those of another account have another one. The
// stream ends with its last watch.
func TestStreams_Count(t *testing.T) {
	e := newEnv(t)
	s := &resource.Streams{}
	properties := fmt.Sprintf(`{"apiVersion": "v1", "kind": "PodTemplate", "namespace": %q}`, e.namespace)
	var all []*harness
	for i := range 12 {
		account := "a"
		if i >= 10 {
			account = "b"
		}
		h := newHarness(t, e.config, properties, sharing(s, account))
		h.runAndWait()
		all = append(all, h)
	}
	template := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Name: "t"}}
	template.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: "i"}}
	if _, err := e.client.CoreV1().PodTemplates(e.namespace).Create(t.Context(), template, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		e.want(h.waitForEvents(1), "create t")
	}
	cluster.WaitForWatches(t, e.client, "podtemplates", 2)
	for _, h := range all {
		h.stop()
	}
	cluster.WaitForWatches(t, e.client, "podtemplates", 0)
}

// A watch that resumes after its history is gone lists again; others of its stream do not.
func TestStreams_Error(t *testing.T) {
	e := newEnv(t)
	s := &resource.Streams{}
	live := startHarness(t, e.config, e.properties(""), sharing(s, ""))
	stale := newHarness(t, e.config, e.properties(""), sharing(s, ""))
	stale.runAndWait()
	e.create("a", nil)
	stale.waitForEvents(1)
	stale.stop()
	e.update("a", `{"data": {"n": "1"}}`)
	e.update("a", `{"data": {"n": "2"}}`)
	live.waitForEvents(3)
	stale.transport.respondNext(true, http.StatusOK, `{"type": "ERROR", "object":
		{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}}`)
	stale.run()
	e.want(stale.waitForEvents(2), "create a", "update a")
	e.create("b", nil)
	e.want(stale.waitForEvents(3)[2:], "create b")
	e.want(live.waitForEvents(4), "create a", "update a", "update a", "create b")
	if pages := live.transport.listedPages(); pages != 1 || len(live.transport.opened) > 0 {
		t.Errorf("the other watch listed %d pages and opened %d more streams", pages, len(live.transport.opened))
	}
}

// A panic of the client is an error of the watch.
func TestStreams_Panic(t *testing.T) {
	e := newEnv(t)
	h := newHarness(t, e.config, e.properties(""))
	h.transport.respondNext(true, 0, "broken client")
	h.run()
	if err := h.waitForError(); !strings.Contains(err.Error(), "panic") {
		t.Errorf("got error %v", err)
	}
	h.run()
	h.waitForWatch()
}

// A slow watch delays no other, and loses nothing.
func TestStreams_Slow(t *testing.T) {
	e := newEnv(t)
	s := &resource.Streams{}
	fast := startHarness(t, e.config, e.properties(""), sharing(s, ""))
	slow := newHarness(t, e.config, e.properties(""), sharing(s, ""))
	slow.gate = make(chan struct{})
	slow.runAndWait()
	want := []string{"create a"}
	e.create("a", nil)
	for i := range 12 { // more than the stream keeps
		e.update("a", fmt.Sprintf(`{"data": {"n": "%d%s"}}`, i, strings.Repeat("x", 500<<10)))
		want = append(want, "update a")
	}
	e.want(fast.waitForEvents(13), slices.Clone(want)...)
	close(slow.gate)
	e.want(slow.waitForEvents(13), want...)
}

// Watches that start, stop, lag and resume at any time get what a stream of their own gives.
func TestStreams_Random(t *testing.T) {
	e := newEnv(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := &resource.Streams{}
	type consumer struct {
		*harness
		first   int // number of the writes before it
		running bool
	}
	var (
		consumers []*consumer
		written   []string
	)
	exists := map[string]bool{}
	write := func() {
		name := fmt.Sprintf("cm-%d", random.IntN(5))
		switch {
		case !exists[name]:
			o := e.create(name, nil)
			exists[name] = true
			written = append(written, string(o.UID)+"@"+o.ResourceVersion)
		case random.IntN(6) == 0:
			e.delete(name)
			exists[name] = false
			written = append(written, "delete "+e.namespace+"/"+name)
		default:
			size := 10
			if random.IntN(4) == 0 {
				size = 400 << 10
			}
			o := e.update(name, fmt.Sprintf(`{"data": {"n": "%d%s"}}`, len(written), strings.Repeat("x", size)))
			written = append(written, string(o.UID)+"@"+o.ResourceVersion)
		}
	}
	toggle := func(c *consumer) {
		switch {
		case !c.running:
			c.run()
			c.running = true
		case random.IntN(2) == 0:
			c.stop()
			c.running = false
		default: // lag, or catch up
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.gate != nil {
				close(c.gate)
				c.gate = nil
			} else {
				c.gate = make(chan struct{})
			}
		}
	}
	for range 300 {
		switch n := random.IntN(10); {
		case n == 0 && len(consumers) < 12:
			opt := func(o *resource.Options) {
				sharing(s, fmt.Sprint(random.IntN(3)))(o)
				o.Application = "c1/shop"
			}
			if len(consumers) < 2 {
				opt = func(*resource.Options) {} // a stream of its own
			}
			c := &consumer{harness: newHarness(t, e.config, e.properties(""), opt), first: len(written), running: true}
			c.runAndWait()
			consumers = append(consumers, c)
		case n < 3 && len(consumers) > 0:
			toggle(consumers[random.IntN(len(consumers))])
		default:
			write()
		}
	}
	for i, c := range consumers {
		c.mu.Lock()
		if c.gate != nil {
			close(c.gate)
			c.gate = nil
		}
		c.mu.Unlock()
		if !c.running {
			c.run()
		}
		want := written[c.first:]
		got := identify(c.waitForEvents(len(want)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("consumer %d: %s", i, diff)
		}
	}
}

// identify returns the IDs of events; those of deletions, whose versions the API server does
// not tell the writer, as "delete key".
func identify(events []event.Event) []string {
	var out []string
	for _, ev := range events {
		if ev.Type == event.Delete {
			out = append(out, "delete "+ev.Key)
			continue
		}
		out = append(out, ev.ID)
	}
	return out
}
