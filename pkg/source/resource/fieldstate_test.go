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

// references returns the fields below context.old that an expression refers to.
func references(t *testing.T, text string) expr.FieldSet {
	t.Helper()
	f, err := parser.ParseFile("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return expr.Dependencies("context", f).Under("old")
}

// fieldTriggers returns four triggers: one that refers to the old data, one with onChange
// of the data, one with onChange of a label, and one without either.
func (e env) fieldTriggers() []triggerSpec {
	specs := []triggerSpec{e.trigger("old", ""), e.trigger("data", ""), e.trigger("label", ""), e.trigger("all", "")}
	specs[0].trigger.Old = references(e.T, `context.old.data.n != context.data.data.n && context.old.metadata.labels["a/b"] != _|_`)
	specs[1].trigger.OnChange = []source.Path{{"data"}}
	specs[2].trigger.OnChange = []source.Path{{"spec"}, {"metadata", "labels", "a/b"}}
	return specs
}

// wantOld compares the old state of events.
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

// oldObject returns the old state of an object.
func oldObject(n string, labels map[string]any) map[string]any {
	m := map[string]any{"data": map[string]any{"n": n}, "metadata": map[string]any{}}
	if labels != nil {
		m["metadata"] = map[string]any{"labels": labels}
	}
	return m
}

func TestFieldState_Old(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	e.create("a", nil)
	p := e.startProcess(store, e.fieldTriggers())
	e.update("a", `{"data": {"n": "1"}}`)
	e.update("a", `{"metadata": {"labels": {"a/b": "x", "c": "y"}}}`)
	e.update("a", `{"metadata": {"labels": {"c": "z"}}}`)
	e.update("a", `{"data": null}`)
	e.create("new", nil)
	e.delete("a")
	got := p.waitForEvents(6)
	ab := map[string]any{"a/b": "x"}
	e.wantOld(got, oldObject("0", nil), oldObject("1", nil), oldObject("1", ab), oldObject("1", ab), nil, map[string]any{"metadata": map[string]any{"labels": ab}})
	e.want(p.accepted(1), "update a", "update a", "create new", "delete a")
	e.want(p.accepted(2), "update a", "create new", "delete a")
	e.want(p.accepted(3), "update a", "update a", "update a", "update a", "create new", "delete a")
}

// The old state is known again right after a restart.
func TestFieldState_Restart(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	for _, name := range []string{"a", "b", "c", "held"} {
		e.create(name, nil)
	}
	p := e.startProcess(store, e.fieldTriggers())
	p.holdEvents(func(ev event.Event) bool { return ev.Key == e.namespace+"/held" })
	e.update("held", `{"data": {"n": "1"}}`)
	e.update("a", `{"data": {"n": "1"}}`)                             // done, above the watermark
	e.update("b", `{"metadata": {"labels": {"a/b": "x", "c": "y"}}}`) // done, above the watermark
	e.create("above", nil)                                            // done, above the watermark
	p.waitForEvents(4)
	p.kill()
	e.update("c", `{"metadata": {"labels": {"c": "z"}}}`)
	e.update("b", `{"metadata": {"labels": {"c": "z"}}}`)

	p = e.startProcess(store, e.fieldTriggers())
	p.waitForEvents(3)
	e.update("a", `{"data": {"n": "2"}}`)
	e.update("above", `{"data": {"n": "2"}}`)
	got := p.waitForEvents(5)
	ab := map[string]any{"a/b": "x"}
	e.want(got, "update held", "update c", "update b", "update a", "update above")
	e.wantOld(got, oldObject("0", nil), oldObject("0", nil), oldObject("0", ab), oldObject("1", nil), oldObject("0", nil))
	e.want(p.accepted(1), "update held", "update a", "update above")
	if accepted := p.accepted(2); len(accepted) > 0 {
		t.Errorf("accepted %v, although the label did not change", brief(accepted))
	}
}

// If the API server no longer has the old state, changed fields are still known, and so
// is the old state of unchanged objects.
func TestFieldState_Expired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	e, store := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}, newFakeStore()
	for _, name := range []string{"a", "b", "same"} {
		e.create(name, nil)
	}
	e.startProcess(store, e.fieldTriggers()).kill()
	e.update("a", `{"data": {"n": "1"}}`)
	e.update("b", `{"metadata": {"labels": {"a/b": "x"}}}`)
	c.Expire(t)
	p := e.startProcess(store, e.fieldTriggers())
	p.waitForEvents(2)
	e.update("same", `{"data": {"n": "1"}}`)
	e.update("a", `{"metadata": {"labels": {"c": "z"}}}`)
	got := p.waitForEvents(4)
	e.want(got, "update a", "update b", "update same", "update a")
	e.wantOld(got, nil, nil, oldObject("0", nil), oldObject("1", nil))
	e.want(p.accepted(1), "update a", "update same")
	e.want(p.accepted(2), "update b")
}

// A change that is reverted across a restart is a change, although the API server no
// longer has the history.
func TestFieldState_Reverted(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	e.create("a", nil)
	e.create("held", nil)
	p := e.startProcess(store, e.fieldTriggers())
	p.holdEvents(func(ev event.Event) bool { return ev.Key == e.namespace+"/held" })
	e.update("held", `{"data": {"n": "1"}}`)
	e.update("a", `{"data": {"n": "1"}}`) // done, above the watermark
	p.waitForEvents(2)
	p.kill()
	e.update("a", `{"data": {"n": "0"}}`)
	p = e.newProcess(store, e.fieldTriggers())
	p.transport.respondNext(true, http.StatusGone, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}`)
	p.run()
	e.wantOld(p.waitForEvents(2), nil, oldObject("0", nil))
	e.want(p.accepted(1), "update a", "update held")
}

// The hash of a path that is added to onChange is known and saved after a restart.
func TestFieldState_PathAdded(t *testing.T) {
	e, store := newEnv(t), newFakeStore()
	e.create("a", nil)
	e.startProcess(store, []triggerSpec{e.trigger("data", "")}).kill()
	e.update("a", `{"metadata": {"labels": {"c": "z"}}}`)
	specs := []triggerSpec{e.trigger("data", "")}
	specs[0].trigger.OnChange = []source.Path{{"data"}}
	p := e.startProcess(store, specs)
	p.waitForEvents(1)
	p.kill()
	if accepted := p.accepted(0); len(accepted) > 0 {
		t.Errorf("accepted %v", brief(accepted))
	}
	for key, entry := range store.single(t) {
		if len(entry.State()) == 0 {
			t.Errorf("no state of %s is saved", key)
		}
	}
}

// The store has no data of a Secret, neither plain nor as a hash without a secret key.
func TestFieldState_Secrets(t *testing.T) {
	e := newEnv(t)
	const canary = "canary-in-a-coal-mine"
	secrets := e.client.CoreV1().Secrets(e.namespace)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"password": []byte(canary)}}
	if _, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	spec := triggerSpec{properties: `{"apiVersion": "v1", "kind": "Secret", "namespace": "` + e.namespace + `"}`}
	spec.trigger.Old = references(t, "context.old.data.password == context.data.data.password")
	spec.trigger.OnChange = []source.Path{{"data"}}
	touch := func(value string) {
		t.Helper()
		secret.Annotations = map[string]string{"touched": value}
		if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}

	saved := map[string][]byte{}
	for _, key := range []string{"", "one key", "another key"} {
		store := newFakeStore()
		keyed := func(o *resource.Options) { o.SecretKey = []byte(key) }
		p := e.startProcess(store, []triggerSpec{spec}, keyed)
		touch(key)
		got := p.waitForEvents(1)
		if accepted := p.accepted(0); len(accepted) != 0 {
			t.Errorf("key %q: accepted %v, although the data did not change", key, brief(accepted))
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(canary))
		if diff := cmp.Diff(map[string]any{"data": map[string]any{"password": encoded}}, got[0].Old); diff != "" {
			t.Error(diff)
		}
		p.kill()
		for _, entry := range store.single(t) {
			saved[key] = entry.State()
		}
	}
	if saved[""] != nil {
		t.Error("a hash without a secret key is in the store")
	}
	if len(saved["one key"]) == 0 || bytes.Equal(saved["one key"], saved["another key"]) {
		t.Error("hashes do not depend on the key")
	}

	path := filepath.Join(t.TempDir(), "store.db")
	s, err := file.Open(t.Context(), path, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := e.startWithStore(s, 0, []triggerSpec{spec}, func(o *resource.Options) { o.SecretKey = []byte("key") })
	touch("again")
	p.waitForEvents(1)
	p.close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(e.namespace+"/s")) {
		t.Error("the file does not contain the Secret's name: the test is void")
	}
	for _, text := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), "touched"} {
		if bytes.Contains(data, []byte(text)) {
			t.Errorf("the file contains %q", text)
		}
	}
}
