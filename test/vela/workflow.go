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
	"path/filepath"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// Workflow is a cluster with the controller of WorkflowRuns, in the version that the module
// test/workflow requires, and its CRDs.
type Workflow struct {
	*cluster.Cluster
	// Client has administrator rights.
	Client client.Client
}

// StartWorkflow starts the controller of WorkflowRuns in a new cluster. Both run until the
// test ends.
func StartWorkflow(t *testing.T) *Workflow {
	t.Helper()
	m := workflowModule(t)
	programs, err := m.build(t.Context(), "github.com/kubevela/workflow/version.VelaVersion", "github.com/kubevela/workflow/cmd")
	if err != nil {
		t.Fatal(err)
	}
	c := cluster.Start(t, cluster.Own(), cluster.WithControllerManager())
	c.Install(t, files(t, filepath.Join(m.Dir, "charts", "vela-workflow", "crds"))...)
	admin, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &Workflow{Cluster: c, Client: admin}
	w.Apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+Namespace+"}")
	start(t, c.Kubeconfig, t.TempDir(), filepath.Join(programs, "cmd"),
		"--metrics-bind-address=0", "--health-probe-bind-address=0")
	return w
}

// WorkflowRunCRD returns the file with the CRD of WorkflowRuns, which vela-core does not have.
func WorkflowRunCRD(t *testing.T) string {
	t.Helper()
	return filepath.Join(workflowModule(t).Dir, "charts", "vela-workflow", "crds", "core.oam.dev_workflowruns.yaml")
}

func workflowModule(t *testing.T) module {
	t.Helper()
	m, err := download(t.Context(), "workflow", "github.com/kubevela/workflow")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Apply applies YAML documents with administrator rights.
func (w *Workflow) Apply(t *testing.T, text string) {
	t.Helper()
	if err := cluster.Apply(t.Context(), w.Client, text); err != nil {
		t.Fatal(err)
	}
}
