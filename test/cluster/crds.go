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

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Install applies the CRDs in files, one per file, and waits until the API server serves
// them.
func (c *Cluster) Install(t testing.TB, files ...string) {
	t.Helper()
	if err := c.install(t.Context(), files...); err != nil {
		t.Fatalf("install CRDs: %v", err)
	}
}

// InstallApplicationCRD installs the CRD of KubeVela's Application.
func (c *Cluster) InstallApplicationCRD(t testing.TB) {
	t.Helper()
	folder, err := kubeVelaCRDs(t.Context())
	if err != nil {
		t.Fatalf("install Application CRD: %v", err)
	}
	c.Install(t, filepath.Join(folder, "core.oam.dev_applications.yaml"))
}

// InstallKubeTrigger installs the CRDs, the manifests and the policies of kube-trigger, in
// the namespace vela-system. Its pods do not run. The API server enforces the policies a
// moment later, in the whole cluster: a shared one fails the test.
func (c *Cluster) InstallKubeTrigger(t testing.TB) {
	t.Helper()
	if c.shared {
		t.Fatal("install kube-trigger: its policies would hinder the other tests; use cluster.Own")
	}
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	crds, err := filepath.Glob(filepath.Join(root, "addon", "crds", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c.Install(t, crds...)
	admin, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"apiVersion: v1\nkind: Namespace\nmetadata: {name: vela-system}"}
	for _, folder := range []string{"manifests", "policies"} {
		manifests, err := filepath.Glob(filepath.Join(root, "addon", folder, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range manifests {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
	}
	for _, text := range texts {
		if err := Apply(t.Context(), admin, text); err != nil {
			t.Fatalf("install kube-trigger: %v", err)
		}
	}
}

// InstallKubeVelaCRDs installs the CRDs of KubeVela and kube-trigger.
func (c *Cluster) InstallKubeVelaCRDs(t testing.TB) {
	t.Helper()
	if err := c.installKubeVelaCRDs(t.Context()); err != nil {
		t.Fatalf("install CRDs: %v", err)
	}
}

func (c *Cluster) installKubeVelaCRDs(ctx context.Context) error {
	vela, err := kubeVelaCRDs(ctx)
	if err != nil {
		return err
	}
	root, err := root()
	if err != nil {
		return err
	}
	for _, folder := range []string{vela, filepath.Join(root, "addon", "crds")} {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil {
			return err
		}
		if err := c.install(ctx, files...); err != nil {
			return err
		}
	}
	return nil
}

// kubeVelaCRDs returns the folder of the CRDs of KubeVela, in the version that the module
// test/kubevela requires. It downloads KubeVela's module if necessary.
func kubeVelaCRDs(ctx context.Context) (string, error) {
	root, err := root()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "github.com/oam-dev/kubevela")
	cmd.Dir = filepath.Join(root, "test", "kubevela")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("download KubeVela's module: %w\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("download KubeVela's module: %w", err)
	}
	return filepath.Join(module.Dir, "charts", "vela-core", "crds"), nil
}

func (c *Cluster) install(ctx context.Context, files ...string) error {
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	crds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var crd unstructured.Unstructured
		if err := yaml.Unmarshal(text, &crd.Object); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if _, err := crds.Apply(ctx, crd.GetName(), &crd, metav1.ApplyOptions{FieldManager: "test", Force: true}); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		names = append(names, crd.GetName())
	}
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(c.Config)
	if err != nil {
		return err
	}
	for _, name := range names {
		crd, err := waitForEstablished(ctx, crds, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := waitForDiscovery(ctx, discoveryClient, crd); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// waitForEstablished waits until the CRD has the condition Established, and returns the
// CRD.
func waitForEstablished(ctx context.Context, crds dynamic.ResourceInterface, name string) (*unstructured.Unstructured, error) {
	for {
		crd, err := crds.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		status, _ := crd.Object["status"].(map[string]any)
		conditions, _ := status["conditions"].([]any) // may be null
		for _, condition := range conditions {
			if c, ok := condition.(map[string]any); ok && c["type"] == "Established" && c["status"] == "True" {
				return crd, nil
			}
		}
		if err := sleep(ctx); err != nil {
			return nil, err
		}
	}
}

// waitForDiscovery waits until discovery lists all served versions of the CRD. The API
// server updates discovery shortly after the CRD is established.
func waitForDiscovery(ctx context.Context, client discovery.DiscoveryInterface, crd *unstructured.Unstructured) error {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		version, _ := v.(map[string]any)
		if version["served"] != true {
			continue
		}
		for {
			list, err := client.ServerResourcesForGroupVersion(fmt.Sprintf("%s/%s", group, version["name"]))
			if err == nil && slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == plural }) {
				break
			}
			if err := sleep(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// sleep waits for pollInterval, and returns the cause if ctx ends first.
func sleep(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(pollInterval):
		return nil
	}
}
