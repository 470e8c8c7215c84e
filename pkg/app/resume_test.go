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

package app

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRun_Resume covers events between two runs: they are handled once, unless
// the second run starts from now.
func TestRun_Resume(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	e.createConfigMap(t, "web")
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	wantVersion := func(want string) {
		t.Helper()
		if got := e.publishVersion(t, "web"); got != want {
			t.Errorf("version %q, want %q", got, want)
		}
	}
	o := e.options(t, e.triggers())
	o.Store = StoreAuto
	p := startRun(t, o)
	path := p.waitForLog(t, "store opened")[0]["file"].(string)
	if filepath.Dir(path) != filepath.Join(state, "kube-trigger") || !strings.HasPrefix(filepath.Base(path), "config-") {
		t.Errorf("store at %s", path)
	}
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "1")
	p.waitForLog(t, "Action succeeded")
	second := startRun(t, o)
	if err := second.wait(t); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("second process with the same store: %v", err)
	}
	p.stop(t)

	e.setValue(t, "web", "2")
	o.Store = path
	p = startRun(t, o)
	p.waitForLog(t, "Action succeeded")
	p.stop(t)
	wantVersion("2")

	e.setValue(t, "web", "3")
	o.From = FromNow
	p = startRun(t, o)
	p.waitForLog(t, "watching")
	e.setValue(t, "web", "4")
	p.waitForLog(t, "Action succeeded")
	p.stop(t)
	wantVersion("3")
}
