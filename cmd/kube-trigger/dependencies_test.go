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

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies checks that the program has no part of an API server, for which KubeVela's
// packages ask: pkg/stub replaces it. termenv asks the terminal for its colors when any command
// starts, and takes what is typed meanwhile.
func TestDependencies(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		for _, unwanted := range []string{"go.etcd.io/etcd/", "google.golang.org/grpc", "github.com/google/cel-go/", "k8s.io/kms/", "github.com/muesli/termenv"} {
			if strings.HasPrefix(path, unwanted) {
				t.Errorf("got dependency %s, want none of %s", path, unwanted)
			}
		}
	}
}
