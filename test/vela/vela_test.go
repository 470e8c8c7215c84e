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
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/pods"
	"github.com/kubevela/kube-trigger/test/program"
	"github.com/kubevela/kube-trigger/test/vela"
)

// TestKubeVela runs its subtests in one cluster, in separate namespaces. Subtests after
// Enable require the addon.
func TestKubeVela(t *testing.T) {
	k := env{KubeVela: vela.Start(t)}
	t.Run("Application", func(t *testing.T) { deployApplication(t, k) })
	t.Run("Compressed", func(t *testing.T) { compressedObjects(t, k) })
	t.Run("Views", func(t *testing.T) { views(t, k) })
	k.runPods(t)
	t.Run("Enable", func(t *testing.T) { enable(t, k) })
	t.Run("Parameters", func(t *testing.T) { renderParameters(t, k) })
	t.Run("RefusedParameters", func(t *testing.T) { refuseParameters(t, k) })
	t.Run("Show", func(t *testing.T) { showDefinitions(t, k) })
	t.Run("OneBump", func(t *testing.T) { oneBump(t, k) })
	t.Run("Parallel", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, env){
			"ApplicationWorkflow": applicationWorkflow,
			"ApplyComponent":      applyComponent,
			"BumpOnChange":        bumpOnChange,
			"CustomAction":        customAction,
			"DerivedRights":       derivedRights,
			"FromWorkflow":        fromWorkflow,
			"ImageJob":            imageJob,
			"OwnPods":             ownPods,
			"Placements":          placements,
			"RecordEvents":        recordEvents,
			"RefObjects":          refObjects,
			"Status":              traitStatus,
			"TraitOrder":          traitOrder,
			"Trigger":             trigger,
			"TriggerService":      triggerService,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, k)
			})
		}
	})
	t.Run("Stopped", func(t *testing.T) { stoppedController(t, k) })
	t.Run("Upgrade", func(t *testing.T) { upgrade(t, k) })
	t.Run("Disable", func(t *testing.T) { disable(t, k) })
	t.Run("Registry", func(t *testing.T) { registry(t, k) })
	t.Run("Readme", func(t *testing.T) { readme(t, k) })
}

// deployApplication deploys an Application without kube-trigger.
func deployApplication(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Apply(t, application(ns, "raw", `
    - name: settings
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {color: blue}}]}
`))
	k.waitForRevision(t, ns, "raw", 1)
	if out := k.Vela(t, "status", "raw", "-n", ns); !strings.Contains(out, "running") {
		t.Errorf("output of vela status: got\n%s\nwant %q", out, "running")
	}
}

// env is a cluster with KubeVela.
type env struct {
	*vela.KubeVela
	// node runs kube-trigger's pods; nil before runPods.
	node *pods.Node
}

// runPods runs the containers of kube-trigger's pods as local processes.
func (k *env) runPods(t *testing.T) {
	t.Helper()
	file, err := program.Build(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	k.node = pods.Run(t, k.Cluster, file)
}

// glob returns the files that match a pattern. It fails the test if there are none.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no file matches %s", pattern)
	}
	return files
}

// application returns the YAML of an Application. components are the fields of its spec after
// "components:".
func application(namespace, name, components string) string {
	return fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {namespace: %s, name: %s}
spec:
  components:%s`, namespace, name, components)
}

// waitForRevision waits until an Application is running in revision n.
func (k env) waitForRevision(t *testing.T, namespace, name string, n int) {
	t.Helper()
	want := fmt.Sprintf("%s-v%d", name, n)
	cluster.Eventually(t, fmt.Sprintf("running Application %s in revision %d", name, n), func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, app); err != nil {
			return err
		}
		phase, _, _ := unstructured.NestedString(app.Object, "status", "status")
		latest, _, _ := unstructured.NestedString(app.Object, "status", "latestRevision", "name")
		if phase != "running" || latest != want {
			return fmt.Errorf("got phase %s in revision %s: status %v", phase, latest, app.Object["status"])
		}
		revision := object("core.oam.dev/v1beta1", "ApplicationRevision")
		return k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: want}, revision)
	})
}

// waitForTriggers waits until n TriggerServices of a namespace are ready.
func (k env) waitForTriggers(t *testing.T, namespace string, n int) {
	t.Helper()
	cluster.Eventually(t, "TriggerServices", func(ctx context.Context) error {
		services, err := k.list(ctx, namespace, "standard.oam.dev/v1alpha1", "TriggerService")
		if err != nil {
			return err
		}
		ready := 0
		for i := range services {
			if isReady(&services[i]) {
				ready++
			}
		}
		if ready != n {
			return fmt.Errorf("%d of %d are ready, want %d: %+v", ready, len(services), n, services)
		}
		return nil
	})
}

// waitForStatus waits until `vela status` of an Application contains text. KubeVela 1.9 reads
// the status of traits only while it deploys the Application, so that it is deployed again and
// again.
func (k env) waitForStatus(t *testing.T, namespace, name, text string) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("status of Application %s", name), func(ctx context.Context) error {
		if out := k.Vela(t, "status", name, "-n", namespace); !strings.Contains(out, text) {
			app := k.get(t, "core.oam.dev/v1beta1", "Application", namespace, name)
			if isDeployed(app, app.GetAnnotations()["app.oam.dev/publishVersion"]) {
				k.raiseVersion(t, namespace, name) // the deployment does not end if a component is unhealthy
			}
			return fmt.Errorf("got\n%s\nwant %q", out, text)
		}
		return nil
	})
}

// isDeployed reports whether the deployment of a version has ended; of any version if that is
// empty.
func isDeployed(app *unstructured.Unstructured, version string) bool {
	revision, _, _ := unstructured.NestedString(app.Object, "status", "workflow", "appRevision")
	finished, _, _ := unstructured.NestedBool(app.Object, "status", "workflow", "finished")
	return finished && (version == "" || revision == version)
}

// raiseVersion raises the version of an Application, and returns it.
func (k env) raiseVersion(t *testing.T, namespace, name string) (version string) {
	t.Helper()
	app := k.get(t, "core.oam.dev/v1beta1", "Application", namespace, name)
	n, _ := strconv.Atoi(app.GetAnnotations()["app.oam.dev/publishVersion"])
	version = strconv.Itoa(n + 1)
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"app.oam.dev/publishVersion":%q}}}`, version)
	if err := k.Client.Patch(t.Context(), app, client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Fatal(err)
	}
	return version
}

func object(apiVersion, kind string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
	return o
}

// list returns the objects of a kind in a namespace.
func (k env) list(ctx context.Context, namespace, apiVersion, kind string) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind+"List"))
	err := k.Client.List(ctx, list, client.InNamespace(namespace))
	return list.Items, err
}

// names returns the names of the objects of a kind in a namespace, without the objects that
// every namespace has.
func (k env) names(ctx context.Context, namespace, apiVersion, kind string) ([]string, error) {
	objects, err := k.list(ctx, namespace, apiVersion, kind)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range objects {
		if name := objects[i].GetName(); name != "kube-root-ca.crt" && name != "default" {
			names = append(names, name)
		}
	}
	return names, nil
}
