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
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/vela"
)

// TestKubeVela runs everything in one cluster, where each test has a namespace of
// its own.
func TestKubeVela(t *testing.T) {
	k := bed{vela.Start(t)}
	t.Run("Application", func(t *testing.T) { deploys(t, k) })
}

// deploys: an Application of KubeVela alone is deployed.
func deploys(t *testing.T, k bed) {
	ns := k.Namespace(t)
	k.Apply(t, application(ns, "raw", `
    - name: settings
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {color: blue}}]}
`))
	k.running(t, ns, "raw", 1)
	if out := k.Vela(t, "status", "raw", "-n", ns); !strings.Contains(out, "running") {
		t.Errorf("vela status says:\n%s", out)
	}
}

// bed is KubeVela.
type bed struct{ *vela.KubeVela }

func application(namespace, name, components string) string {
	return fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {namespace: %s, name: %s}
spec:
  components:%s`, namespace, name, components)
}

// running waits until an Application runs in its nth revision.
func (k bed) running(t *testing.T, namespace, name string, n int) {
	t.Helper()
	want := fmt.Sprintf("%s-v%d", name, n)
	vela.Eventually(t, fmt.Sprintf("Application %s in revision %d", name, n), func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, app); err != nil {
			return err
		}
		phase, _, _ := unstructured.NestedString(app.Object, "status", "status")
		latest, _, _ := unstructured.NestedString(app.Object, "status", "latestRevision", "name")
		if phase != "running" || latest != want {
			return fmt.Errorf("%s in %s: %v", phase, latest, app.Object["status"])
		}
		revision := object("core.oam.dev/v1beta1", "ApplicationRevision")
		return k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: want}, revision)
	})
}

func object(apiVersion, kind string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
	return o
}
