//go:build kubevela

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

package vela_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

const (
	addonFolder = "../../addon"
	addonName   = "kube-trigger"
	addonApp    = "addon-kube-trigger"
)

// enable tests the output of `vela addon enable` in a new cluster, the health of the
// addon, and its definitions.
func enable(t *testing.T, k env) {
	out := k.Vela(t, "addon", "enable", addonFolder)
	for _, want := range []string{"enabled successfully", "TriggerServices, their workers and all CRDs remain"} {
		if !strings.Contains(out, want) {
			t.Errorf("output of vela addon enable: got\n%s\nwant %q", out, want)
		}
	}
	k.waitForAddon(t)
	if out := k.Vela(t, "addon", "status", addonName); !strings.Contains(out, addonName+": enabled") {
		t.Errorf("output of vela addon status: got\n%s\nwant %q", out, addonName+": enabled")
	}
	out = k.Vela(t, "status", addonApp, "-n", vela.Namespace)
	for _, want := range []string{"kube-trigger-crds", "kube-trigger-definitions", "kube-trigger-policies", "kube-trigger-rights", "kube-trigger-controller", "Ready:1/1"} {
		if !strings.Contains(out, want) {
			t.Errorf("output of vela status: got\n%s\nwant %q", out, want)
		}
	}
	out = k.Vela(t, "ls", "-n", vela.Namespace)
	for _, want := range []string{"kube-trigger-controller", "webservice", "healthy"} {
		if !strings.Contains(out, want) {
			t.Errorf("output of vela ls: got\n%s\nwant %q", out, want)
		}
	}
	k.checkDefinitions(t)
}

// waitForAddon waits until the current generation of the addon's Application is running.
func (k env) waitForAddon(t *testing.T) {
	t.Helper()
	cluster.Eventually(t, "a healthy addon", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: vela.Namespace, Name: addonApp}, app); err != nil {
			return err
		}
		phase, _, _ := unstructured.NestedString(app.Object, "status", "status")
		observed, _, _ := unstructured.NestedInt64(app.Object, "status", "observedGeneration")
		if phase != "running" || observed != app.GetGeneration() {
			return fmt.Errorf("got phase %s and observed generation %d, want running and %d: status %v", phase, observed, app.GetGeneration(), app.Object["status"])
		}
		return nil
	})
}

// checkDefinitions checks that the Definitions of all actions and of the worker templates
// are installed, and no others.
func (k env) checkDefinitions(t *testing.T) {
	t.Helper()
	names, err := k.names(t.Context(), vela.Namespace, "core.oam.dev/v1alpha1", "Definition")
	if err != nil {
		t.Fatal(err)
	}
	exists := map[string]bool{}
	for _, n := range names {
		exists[n] = true
	}
	want := []string{"trigger-worker-dedicated", "trigger-worker-namespace"}
	for _, file := range glob(t, "../../actions/*.cue") {
		want = append(want, "trigger-action-"+strings.TrimSuffix(filepath.Base(file), ".cue"))
	}
	for _, n := range want {
		if !exists[n] {
			t.Errorf("no Definition %s", n)
		}
	}
	if len(names) != len(want) {
		t.Errorf("got Definitions %v, want %v", names, want)
	}
}
