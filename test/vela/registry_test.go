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

// registry runs the commands in docs/addon.md, which package the addon, add a registry that
// serves the package, and enable the addon. From a registry, `vela addon enable` waits until
// the controller runs, and `vela addon upgrade` preserves the parameters.
func registry(t *testing.T, k env) {
	t.Setenv("VELA", k.CLI())
	server := httptest.NewServer(http.FileServer(http.Dir("../../bin/addon")))
	t.Cleanup(server.Close)
	document := shellDocument{
		file: "docs/addon.md", dir: "../..", replace: []string{"http://127.0.0.1:8000", server.URL},
		checks: map[string]func(out string){
			"make addon-package": expectOutput(t, "Successfully package addon"),
			"vela addon registry add team --type=helm --endpoint=http://127.0.0.1:8000": expectOutput(t, "Successfully add an addon registry team"),
			"vela addon enable kube-trigger": func(string) {
				text := fmt.Sprint(k.deployment(t, "kube-trigger-controller").Object["status"])
				if !strings.Contains(text, "readyReplicas:1") {
					t.Errorf("status of the enabled controller: got %s, want a ready pod", text)
				}
			},
		},
	}
	k.runDocument(t, document)
	k.checkDefinitions(t)
	index, err := os.ReadFile("../../bin/addon/index.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"system.vela: '>=v1.9.0'", "system.kubernetes: '>=1.25.0-0'"} { // vela reads them from the index
		if !strings.Contains(string(index), want) {
			t.Errorf("index of the registry: got\n%s\nwant %q", index, want)
		}
	}

	k.Vela(t, "addon", "enable", "team/kube-trigger", "logLevel=warn")
	k.Vela(t, "addon", "upgrade", "kube-trigger", "replicas=2")
	text := fmt.Sprint(k.deployment(t, "kube-trigger-controller").Object["spec"])
	for _, want := range []string{"--log-level=warn", "replicas:2"} {
		if !strings.Contains(text, want) {
			t.Errorf("spec of the upgraded controller: got %s, want %q", text, want)
		}
	}
	status := k.Vela(t, "addon", "status", addonName, "-v")
	for _, want := range []string{"enabled", "team", "defaultRole", "definitionsOnly"} {
		if !strings.Contains(status, want) {
			t.Errorf("output of vela addon status: got\n%s\nwant %q", status, want)
		}
	}
	k.Vela(t, "addon", "registry", "delete", "team")
}

// serveReleases packages the addon and serves it as GitHub serves the files of the latest
// release. It returns the URL that stands for https://github.com.
func (k env) serveReleases(t *testing.T) string {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "addon-package", "VELA="+k.CLI()).CombinedOutput(); err != nil {
		t.Fatalf("make addon-package: %v\n%s", err, out)
	}
	files := http.FileServer(http.Dir("../../bin/addon"))
	mux := http.NewServeMux()
	mux.HandleFunc("/kubevela/kube-trigger/releases/latest/download/{file}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/assets/"+filepath.Base(r.PathValue("file")), http.StatusFound)
	})
	mux.Handle("/assets/", http.StripPrefix("/assets", files))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}
