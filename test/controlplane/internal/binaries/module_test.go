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

package binaries

import (
	"os"
	"testing"
)

func TestModule_OwnVersions(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Module{Mod: mod}).versions(); err != nil {
		t.Error(err)
	}
}

func TestModule_Version(t *testing.T) {
	mod := "module m\n\nreplace k8s.io/kubernetes v1.0.0 => ./here\n\nrequire go.etcd.io/etcd/server/v3 v3.1.2-rc.0 // indirect\n\nrequire (\n\tk8s.io/kubernetes v1.2.3\n)\n"
	v, err := Module{Mod: []byte(mod)}.versions()
	if err != nil {
		t.Fatal(err)
	}
	if v.kubernetes != "1.2.3" || v.etcd != "3.1.2-rc.0" {
		t.Errorf("got %+v, want 1.2.3 and 3.1.2-rc.0", v)
	}
	if v, err := (Module{Mod: []byte("module m\n")}).versions(); err == nil {
		t.Errorf("a module without Kubernetes: got %+v, want an error", v)
	}
}

func TestProgram_Name(t *testing.T) {
	for pkg, want := range map[string]string{
		"go.etcd.io/etcd/server/v3":            "server",
		"k8s.io/kubernetes/cmd/kube-apiserver": "kube-apiserver",
	} {
		if got := program(pkg); got != want {
			t.Errorf("program of %s: got %s, want %s", pkg, got, want)
		}
	}
}
