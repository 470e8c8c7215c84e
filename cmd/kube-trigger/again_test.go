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
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestRunAgain handles after a restart what happened meanwhile, unless it is
// told to begin now, and nothing twice.
func TestRunAgain(t *testing.T) {
	w := newEnv(t)
	w.create(t, w.applications, "core.oam.dev/v1beta1", "Application", "web")
	w.create(t, w.configMaps, "v1", "ConfigMap", "web")
	file, state := writeConfig(t, w.triggers()), t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	version := func(want string) {
		t.Helper()
		app, err := w.applications.Get(t.Context(), "web", metav1.GetOptions{})
		if got := app.GetAnnotations()["app.oam.dev/publishVersion"]; err != nil || got != want {
			t.Errorf("version %q, want %q, %v", got, want, err)
		}
	}
	p := startRun(t, "-c", file, "--kubeconfig", w.Kubeconfig, "--store", "auto")
	path := p.waitForLog(t, "store opened")[0]["file"].(string)
	if filepath.Dir(path) != filepath.Join(state, "kube-trigger") || !strings.HasPrefix(filepath.Base(path), "config-") {
		t.Errorf("store at %s", path)
	}
	p.waitForLog(t, "watching")
	w.setValue(t, "web", "1")
	p.waitForLog(t, "Acted on event")
	again := startRun(t, "-c", file, "--kubeconfig", w.Kubeconfig, "--store", "auto")
	if err := <-again.ended; err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("two with one store: %v", err)
	}
	p.stop(t)

	w.setValue(t, "web", "2")
	p = startRun(t, "-c", file, "--kubeconfig", w.Kubeconfig, "--store", path)
	p.waitForLog(t, "Acted on event")
	p.stop(t)
	version("2")

	w.setValue(t, "web", "3")
	p = startRun(t, "-c", file, "--kubeconfig", w.Kubeconfig, "--store", path, "--from", "now")
	p.waitForLog(t, "watching")
	w.setValue(t, "web", "4")
	p.waitForLog(t, "Acted on event")
	p.stop(t)
	version("3")
}
