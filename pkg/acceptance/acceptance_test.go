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

package acceptance_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

func newKey(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, key
}

func version() acceptance.Version {
	v := acceptance.Version{
		Namespace: "a", Name: "main", UID: "1", Generation: 3,
		Spec:     v1alpha1.TriggerServiceSpec{Triggers: []v1alpha1.Trigger{{Filter: `"<&>" == "x"`}}},
		Rejected: map[string]string{"x": "too slow"}, Actions: map[string]string{"own": "x: 1"},
	}
	v.Verdict.Hash, v.Verdict.Report = "hash", []byte(`{"Triggers":null}`)
	return v
}

func service() *v1alpha1.TriggerService {
	ts := &v1alpha1.TriggerService{}
	ts.Namespace, ts.Name, ts.UID = "a", "main", "1"
	return ts
}

func TestOpen(t *testing.T) {
	public, key := newKey(t)
	d, err := acceptance.Sign(key, version())
	if err != nil {
		t.Fatal(err)
	}
	v, err := acceptance.Open(public, d, service())
	if diff := cmp.Diff(version(), v); err != nil || diff != "" {
		t.Errorf("error %v, version (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(version(), acceptance.Unverified(d)); diff != "" {
		t.Errorf("unverified (-want +got):\n%s", diff)
	}
	for name, change := range map[string]func(*v1alpha1.TriggerService){
		"name":      func(ts *v1alpha1.TriggerService) { ts.Name = "other" },
		"namespace": func(ts *v1alpha1.TriggerService) { ts.Namespace = "other" },
		"UID":       func(ts *v1alpha1.TriggerService) { ts.UID = "other" },
	} {
		ts := service()
		change(ts)
		if v, err := acceptance.Open(public, d, ts); err == nil || v.UID != "" {
			t.Errorf("another %s: error %v, version %+v", name, err, v)
		}
	}
	other, _ := newKey(t)
	if _, err := acceptance.Open(other, d, service()); err == nil {
		t.Error("a version was opened with another key")
	}
	for name := range d.Spec.Templates {
		altered := d.DeepCopy()
		altered.Spec.Templates[name] = strings.Replace(altered.Spec.Templates[name], "a", "b", 1) + " "
		if _, err := acceptance.Open(public, altered, service()); err == nil {
			t.Errorf("altered %s was opened", name)
		}
	}
}

func TestSign_TooLarge(t *testing.T) {
	_, key := newKey(t)
	v := version()
	v.Actions["own"] = strings.Repeat("x", acceptance.MaxSize-2000)
	if _, err := acceptance.Sign(key, v); err != nil {
		t.Error(err)
	}
	v.Actions["own"] = strings.Repeat("\"", acceptance.MaxSize/3)
	if _, err := acceptance.Sign(key, v); !errors.Is(err, acceptance.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestParseKey(t *testing.T) {
	public, key := newKey(t)
	if got, err := acceptance.ParseKey(acceptance.FormatKey(key)); err != nil || !public.Equal(got) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, wrong := range []string{"", "x", "AAAA"} {
		if _, err := acceptance.ParseKey(wrong); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
}
