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
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"cuelang.org/go/cue/parser"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/store/file"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// references returns what an expression refers to below context.old.
func references(t *testing.T, text string) expr.FieldSet {
	t.Helper()
	f, err := parser.ParseFile("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return expr.Dependencies("context", f).Under("old")
}

// fieldTriggers returns triggers: one that refers to the old data, one that fires
// where that changed, one that fires where a label did, and one for everything.
func (e env) fieldTriggers() []triggerSpec {
	specs := []triggerSpec{e.trigger("old", ""), e.trigger("data", ""), e.trigger("label", ""), e.trigger("all", "")}
	specs[0].trigger.Old = references(e.T, `context.old.data.n != context.data.data.n && context.old.metadata.labels["a/b"] != _|_`)
	specs[1].trigger.OnChange = []source.Path{{"data"}}
	specs[2].trigger.OnChange = []source.Path{{"spec"}, {"metadata", "labels", "a/b"}}
	return specs
}

// wantOld compares what the events have as old state.
func (e env) wantOld(got []event.Event, want ...map[string]any) {
	e.Helper()
	var old []map[string]any
	for _, ev := range got {
		old = append(old, ev.Old)
	}
	if diff := cmp.Diff(want, old); diff != "" {
		e.Error(diff)
	}
}

func oldObject(n string, labels map[string]any) map[string]any {
	m := map[string]any{"data": map[string]any{"n": n}, "metadata": map[string]any{}}
	if labels != nil {
		m["metadata"] = map[string]any{"labels": labels}
	}
	return m
}

func TestOldState(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	b.create("a", nil)
	l := b.startProcess(d, b.fieldTriggers())
	b.update("a", `{"data": {"n": "1"}}`)
	b.update("a", `{"metadata": {"labels": {"a/b": "x", "c": "y"}}}`)
	b.update("a", `{"metadata": {"labels": {"c": "z"}}}`)
	b.update("a", `{"data": null}`)
	b.create("new", nil)
	b.delete("a")
	got := l.waitForEvents(6)
	ab := map[string]any{"a/b": "x"}
	b.wantOld(got, oldObject("0", nil), oldObject("1", nil), oldObject("1", ab), oldObject("1", ab), nil, map[string]any{"metadata": map[string]any{"labels": ab}})
	b.want(l.accepted(1), "update a", "update a", "create new", "delete a")
	b.want(l.accepted(2), "update a", "create new", "delete a")
	b.want(l.accepted(3), "update a", "update a", "update a", "update a", "create new", "delete a")
}

// After a restart they are right again, at once.
func TestOldStateAndRestart(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	for _, name := range []string{"a", "b", "c", "held"} {
		b.create(name, nil)
	}
	l := b.startProcess(d, b.fieldTriggers())
	l.holdEvents(func(ev event.Event) bool { return ev.Key == b.namespace+"/held" })
	b.update("held", `{"data": {"n": "1"}}`)
	b.update("a", `{"data": {"n": "1"}}`)                             // done, above the mark
	b.update("b", `{"metadata": {"labels": {"a/b": "x", "c": "y"}}}`) // done, above the mark
	b.create("above", nil)                                            // done, above the mark
	l.waitForEvents(4)
	l.kill()
	b.update("c", `{"metadata": {"labels": {"c": "z"}}}`)
	b.update("b", `{"metadata": {"labels": {"c": "z"}}}`)

	l = b.startProcess(d, b.fieldTriggers())
	l.waitForEvents(3)
	b.update("a", `{"data": {"n": "2"}}`)
	b.update("above", `{"data": {"n": "2"}}`)
	got := l.waitForEvents(5)
	ab := map[string]any{"a/b": "x"}
	b.want(got, "update held", "update c", "update b", "update a", "update above")
	b.wantOld(got, oldObject("0", nil), oldObject("0", nil), oldObject("0", ab), oldObject("1", nil), oldObject("0", nil))
	b.want(l.accepted(1), "update held", "update a", "update above")
	if taken := l.accepted(2); len(taken) > 0 {
		t.Errorf("took %v, where the label did not change", brief(taken))
	}
}

// Where the API server has forgotten how the objects were, what changed is still
// known, and the old state of what did not.
func TestOldStateExpired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b, d := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}, newFakeStore()
	for _, name := range []string{"a", "b", "same"} {
		b.create(name, nil)
	}
	b.startProcess(d, b.fieldTriggers()).kill()
	b.update("a", `{"data": {"n": "1"}}`)
	b.update("b", `{"metadata": {"labels": {"a/b": "x"}}}`)
	c.Expire(t)
	l := b.startProcess(d, b.fieldTriggers())
	l.waitForEvents(2)
	b.update("same", `{"data": {"n": "1"}}`)
	b.update("a", `{"metadata": {"labels": {"c": "z"}}}`)
	got := l.waitForEvents(4)
	b.want(got, "update a", "update b", "update same", "update a")
	b.wantOld(got, nil, nil, oldObject("0", nil), oldObject("1", nil))
	b.want(l.accepted(1), "update a", "update same")
	b.want(l.accepted(2), "update b")
}

// A change that was done before the restart, and is undone after it, is a change,
// although the API server forgets it at the worst moment.
func TestChangeIsTakenBack(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	b.create("a", nil)
	b.create("held", nil)
	l := b.startProcess(d, b.fieldTriggers())
	l.holdEvents(func(ev event.Event) bool { return ev.Key == b.namespace+"/held" })
	b.update("held", `{"data": {"n": "1"}}`)
	b.update("a", `{"data": {"n": "1"}}`) // done, above the mark
	l.waitForEvents(2)
	l.kill()
	b.update("a", `{"data": {"n": "0"}}`)
	l = b.newProcess(d, b.fieldTriggers())
	l.transport.respondNext(true, http.StatusGone, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}`)
	l.run()
	b.wantOld(l.waitForEvents(2), nil, oldObject("0", nil))
	b.want(l.accepted(1), "update a", "update held")
}

// A path that was not watched before is known after a restart, too, and saved
// then.
func TestOnChangeIsAdded(t *testing.T) {
	b, d := newEnv(t), newFakeStore()
	b.create("a", nil)
	b.startProcess(d, []triggerSpec{b.trigger("data", "")}).kill()
	b.update("a", `{"metadata": {"labels": {"c": "z"}}}`)
	asks := []triggerSpec{b.trigger("data", "")}
	asks[0].trigger.OnChange = []source.Path{{"data"}}
	l := b.startProcess(d, asks)
	l.waitForEvents(1)
	l.kill()
	if taken := l.accepted(0); len(taken) > 0 {
		t.Errorf("took %v", brief(taken))
	}
	for key, e := range d.single().Inventory {
		if len(e.State) == 0 {
			t.Errorf("nothing is known of %s", key)
		}
	}
}

// Nothing of a Secret is on the disk, neither plain nor as a hash that can be
// guessed.
func TestSecretsStaySecret(t *testing.T) {
	b := newEnv(t)
	const canary = "canary-in-a-coal-mine"
	secrets := b.client.CoreV1().Secrets(b.namespace)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"password": []byte(canary)}}
	if _, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ask := triggerSpec{properties: `{"apiVersion": "v1", "kind": "Secret", "namespace": "` + b.namespace + `"}`}
	ask.trigger.Old = references(t, "context.old.data.password == context.data.data.password")
	ask.trigger.OnChange = []source.Path{{"data"}}
	touch := func(value string) {
		t.Helper()
		secret.Annotations = map[string]string{"touched": value}
		if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}

	seen := map[string][]byte{}
	for _, key := range []string{"", "one key", "another key"} {
		d := newFakeStore()
		keyed := func(o *resource.Options) { o.SecretKey = []byte(key) }
		l := b.startProcess(d, []triggerSpec{ask}, keyed)
		touch(key)
		got := l.waitForEvents(1)
		if taken := l.accepted(0); len(taken) != 0 {
			t.Errorf("key %q: took %v, of which the data did not change", key, brief(taken))
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(canary))
		if diff := cmp.Diff(map[string]any{"data": map[string]any{"password": encoded}}, got[0].Old); diff != "" {
			t.Error(diff)
		}
		l.kill()
		for _, e := range d.single().Inventory {
			seen[key] = e.State
		}
	}
	if seen[""] != nil {
		t.Error("a hash without a key is on the disk")
	}
	if len(seen["one key"]) == 0 || bytes.Equal(seen["one key"], seen["another key"]) {
		t.Error("hashes do not depend on the key")
	}

	path := filepath.Join(t.TempDir(), "store.db")
	s, err := file.Open(t.Context(), path, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := b.startWithStore(s, 0, []triggerSpec{ask}, func(o *resource.Options) { o.SecretKey = []byte("key") })
	touch("again")
	l.waitForEvents(1)
	l.close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(b.namespace+"/s")) {
		t.Error("the file does not hold the Secret's name: this proves nothing")
	}
	for _, text := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), "touched"} {
		if bytes.Contains(data, []byte(text)) {
			t.Errorf("the file holds %q", text)
		}
	}
}
