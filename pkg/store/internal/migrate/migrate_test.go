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

package migrate_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/migrate"
)

func FuzzCheckpoint_Convert(f *testing.F) {
	for _, text := range []string{"0e000102030405060708090a0b0c0d0e0fac020173", "0001750176", "01"} {
		b, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{"webhook:a", "velaql:a b", "cronjob:a", "x resource-watcher:a"} {
			if _, err := (migrate.Checkpoint{Name: name, Inventory: map[string][]byte{"a/b": b}}).Convert(); err != nil && !errors.Is(err, store.ErrDamaged) {
				t.Fatal(err)
			}
		}
	})
}

func TestCheckpoint_Convert(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{
		"pods": store.ErrForeign, "": store.ErrForeign, "x other:v1/Pod": store.ErrForeign,
		"webhook:team/a": store.ErrDamaged, "velaql:team/a 12": store.ErrDamaged,
	} {
		_, err := migrate.Checkpoint{Name: name, Inventory: map[string][]byte{"a": {0xff}}}.Convert()
		if !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", name, err, want)
		}
	}
	c := migrate.Checkpoint{Name: "x resource-watcher:v1/Pod", Position: "7", Triggers: []string{
		"a/all?announced=%FF", "a/some?announced=ns%2Fname&since=12", "plain", "a/invalid?%",
	}}
	change, err := c.Convert()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{
		"trigger/a/all":  []byte(`{"syncedTo":"` + "\U0010ffff" + `"}`),
		"trigger/a/some": []byte(`{"startsAfter":"12","syncedTo":"ns/name"}`),
		"trigger/plain":  []byte(`{}`), "trigger/a/invalid": []byte(`{}`),
	}
	if diff := cmp.Diff(want, change.Values); diff != "" || *change.Cursor != "7" {
		t.Error(*change.Cursor, diff)
	}
}
