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
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestCronExample runs examples/cron every second instead of every night.
func TestCronExample(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	text, err := os.ReadFile("../../examples/cron/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer(`"30 2 * * *"`, `"* * * * * *"`, ", jitter: 5m", "", "namespace: default", "namespace: "+e.namespace).Replace(string(text))
	p := startRun(t, "-c", writeConfig(t, config), "--kubeconfig", e.Kubeconfig)
	if l := p.waitForLog(t, "Action succeeded")[0]; l["trigger"] != "default/nightly" {
		t.Errorf("got %v", l)
	}
	p.stop(t)
	app, err := e.applications.Get(t.Context(), "web", metav1.GetOptions{})
	if version := app.GetAnnotations()["app.oam.dev/publishVersion"]; err != nil || version == "" {
		t.Errorf("version %q, %v", version, err)
	}
}
