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
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/store"
)

func TestSavedObject(t *testing.T) {
	const uid = "00010203-0405-0607-0809-0a0b0c0d0e0f"
	for want, o := range map[string]savedObject{
		"0e000102030405060708090a0b0c0d0e0fac020173": {uid, "300", []byte("s")},
		"000175" + "0176": {"u", "v", nil},
		"0000" + "00":     {},
		"0424" + fmt.Sprintf("%x", strings.ToUpper(uid)) + "07":                            {strings.ToUpper(uid), "7", nil},
		"0200" + "0102030405060708090a0b0c0d0e0f" + "03303037":                             {uid, "007", nil},
		"02000102030405060708090a0b0c0d0e0f14" + fmt.Sprintf("%x", "18446744073709551616"): {uid, "18446744073709551616", nil},
	} {
		b := o.encode()
		if got := fmt.Sprintf("%x", b); got != want {
			t.Errorf("%v: got %s, want %s", o, got, want)
		}
		if got, err := decodeObject(b); err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("decoded %v, %v, want %v", got, err, o)
		}
		for n := range b {
			if _, err := decodeObject(b[:n]); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%x: got %v, want damaged", b[:n], err)
			}
		}
		if _, err := decodeObject(append(b, 0)); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("more bytes: got %v, want damaged", err)
		}
	}
}

func FuzzDecodeObject(f *testing.F) {
	f.Add(savedObject{"00010203-0405-0607-0809-0a0b0c0d0e0f", "300", []byte("s")}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := decodeObject(b)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if again, err := decodeObject(o.encode()); err != nil || again.uid != o.uid || again.resourceVersion != o.resourceVersion || string(again.state) != string(o.state) {
			t.Fatalf("%x: %v, then %v: %v", b, o, again, err)
		}
	})
}
