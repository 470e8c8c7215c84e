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

package file_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, path string) *file.Store {
	t.Helper()
	s, err := file.Open(t.Context(), path, file.Options{})
	must(t, err)
	return s
}

// fillStore creates a store with records of all types, in several pages.
func fillStore(t testing.TB, path string, objects int) {
	t.Helper()
	s := open(t, path)
	c := store.Change{Cursor: ptr.To("9"), Values: map[string][]byte{}}
	for i := range objects {
		c.Values["default/object-"+strconv.Itoa(i)] = fmt.Append(nil, i)
	}
	must(t, s.Checkpoints().Save(t.Context(), "pods", c))
	for i := range 5 {
		ev := event.Event{Source: "webhook", ID: fmt.Sprint(i), Data: map[string]any{"text": strings.Repeat("x", 3000*i)}}
		must(t, s.Queue().Enqueue(t.Context(), ev))
		_, err := s.DeadLetters().Put(t.Context(), store.DeadLetter{Event: ev})
		must(t, err)
	}
	must(t, s.Close())
}

// dump returns the content of a store.
func dump(t testing.TB, s *file.Store) string {
	t.Helper()
	c, err := s.Checkpoints().Load(t.Context(), "pods")
	must(t, err)
	list, err := s.DeadLetters().List(t.Context())
	must(t, err)
	var deadLetters []store.DeadLetter
	for _, l := range list.Items {
		l, err := s.DeadLetters().Get(t.Context(), l.ID)
		must(t, err)
		deadLetters = append(deadLetters, l)
	}
	var events []event.Event
	for ev, err := range s.Queue().Pending(t.Context(), "webhook") {
		must(t, err)
		events = append(events, ev)
	}
	text, err := json.Marshal([]any{c, list, deadLetters, events})
	must(t, err)
	return string(text)
}
