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

package vela

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// install installs KubeVela's CRDs and default definitions.
func (k *KubeVela) install(t *testing.T) {
	t.Helper()
	k.Install(t, files(t, filepath.Join(k.line.chart, "crds"))...)
	k.Apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+Namespace+"}")
	for _, folder := range []string{"defwithtemplate", "velaql"} {
		for _, document := range k.line.documents(t, folder) {
			k.Apply(t, document)
		}
	}
}

// documents returns the YAML documents of a folder of the chart's templates.
func (l line) documents(t *testing.T, folder string) []string {
	t.Helper()
	var documents []string
	for _, file := range files(t, filepath.Join(l.chart, "templates", folder)) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// These files of the chart contain no other template actions.
		documents = append(documents, strings.ReplaceAll(string(text), `{{ include "systemDefinitionNamespace" . }}`, Namespace))
	}
	return documents
}

// InstallSteps installs KubeVela's definitions of workflow steps.
func (w *Workflow) InstallSteps(t *testing.T) {
	t.Helper()
	for _, document := range StepDocuments(t) {
		w.Apply(t, document)
	}
}

// StepDocuments returns KubeVela's definitions of workflow steps as YAML documents, by name.
func StepDocuments(t *testing.T) map[string]string {
	t.Helper()
	l, err := kubeVelaLine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, document := range l.documents(t, "defwithtemplate") {
		object := unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		if object.GetKind() == v1beta1.WorkflowStepDefinitionKind {
			out[object.GetName()] = document
		}
	}
	return out
}

// createVersionDeployment creates the Deployment from which the vela CLI reads the version
// of KubeVela. The Deployment has no pods, because vela-core runs as a local process.
func (k *KubeVela) createVersionDeployment(t *testing.T) {
	t.Helper()
	k.Apply(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: %s, name: kubevela-vela-core, labels: {controller.oam.dev/name: vela-core}}
spec:
  replicas: 0
  selector: {matchLabels: {app: vela-core}}
  template:
    metadata: {labels: {app: vela-core}}
    spec: {containers: [{name: kubevela, image: "oamdev/vela-core:%s"}]}
`, Namespace, k.line.version))
}

// Definitions returns the paths of KubeVela's definitions with the names, such as
// "component/webservice.cue".
func Definitions(t *testing.T, names ...string) []string {
	t.Helper()
	m, err := kubeVela(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(m.Dir, "vela-templates", "definitions", "internal", name))
	}
	return paths
}

// files returns the paths of the manifests in a folder. It fails the test if there are
// none.
func files(t *testing.T, folder string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("no manifests in %s", folder)
	}
	return all
}

// Apply applies YAML documents with administrator rights.
func (k *KubeVela) Apply(t *testing.T, text string) {
	t.Helper()
	if err := cluster.Apply(t.Context(), k.Client, text); err != nil {
		t.Fatal(err)
	}
}
