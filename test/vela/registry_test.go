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
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// registry tests the package of `make addon-package` in an addon registry:
// `vela addon enable` waits until the controller is running, and `vela addon upgrade`
// preserves the parameters.
func registry(t *testing.T, k env) {
	if out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "addon-package", "VELA="+k.CLI()).CombinedOutput(); err != nil {
		t.Fatalf("make addon-package: %v\n%s", err, out)
	}
	folder := "../../bin/addon"
	archives := glob(t, folder+"/kube-trigger-*.tgz")
	if len(archives) != 1 {
		t.Fatalf("got archives %v, want one", archives)
	}
	version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(archives[0]), "kube-trigger-"), ".tgz")
	server := httptest.NewServer(http.FileServer(http.Dir(folder)))
	t.Cleanup(server.Close)
	index := fmt.Sprintf(`
apiVersion: v1
entries:
  kube-trigger: [{name: kube-trigger, version: %s, urls: ["%s/%s"]}]
`, version, server.URL, filepath.Base(archives[0]))
	if err := os.WriteFile(filepath.Join(folder, "index.yaml"), []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	k.Vela(t, "addon", "registry", "add", "test", "--type=helm", "--endpoint="+server.URL)

	k.Vela(t, "addon", "enable", "test/kube-trigger", "logLevel=warn")
	k.Vela(t, "addon", "upgrade", "kube-trigger", "replicas=2")
	text := fmt.Sprint(k.deployment(t, "kube-trigger-controller").Object["spec"])
	for _, want := range []string{"--log-level=warn", "replicas:2"} {
		if !strings.Contains(text, want) {
			t.Errorf("spec of the upgraded controller: got %s, want %q", text, want)
		}
	}
	status := k.Vela(t, "addon", "status", addonName, "-v")
	for _, want := range []string{"enabled", "test", "defaultRole", "definitionsOnly"} {
		if !strings.Contains(status, want) {
			t.Errorf("output of vela addon status: got\n%s\nwant %q", status, want)
		}
	}
	k.Vela(t, "addon", "registry", "delete", "test")
}
