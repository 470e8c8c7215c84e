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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// showDefinitions tests that KubeVela stores the schema of each definition, and that
// `vela show` prints its parameters.
func showDefinitions(t *testing.T, k env) {
	k.checkSchema(t, "TraitDefinition", "bump-on-change", "trait-schema-bump-on-change")
	k.checkSchema(t, "TraitDefinition", "trigger", "trait-schema-trigger")
	k.checkSchema(t, "ComponentDefinition", "trigger-service", "component-schema-trigger-service")
	for name, parameters := range map[string][]string{
		"bump-on-change":  nil,
		"trigger":         {"triggers", "rights"},
		"trigger-service": {"triggers", "serviceAccountName", "worker", "suspend"},
	} {
		out := k.Vela(t, "show", name)
		for _, p := range parameters {
			if !strings.Contains(out, p) {
				t.Errorf("output of vela show %s: got\n%s\nwant %q", name, out, p)
			}
		}
	}
}

// checkSchema checks that a definition is synced, and that its ConfigMap has the schema of its
// parameters, from which VelaUX makes a form.
func (k env) checkSchema(t *testing.T, kind, name, configMap string) {
	t.Helper()
	cluster.Eventually(t, "synced "+kind+" "+name, func(ctx context.Context) error {
		o := object("core.oam.dev/v1beta1", kind)
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: vela.Namespace, Name: name}, o); err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		if !slices.ContainsFunc(conditions, func(c any) bool {
			m, _ := c.(map[string]any)
			return m["type"] == "Synced" && m["status"] == "True"
		}) {
			return fmt.Errorf("got conditions %v, want Synced=True", conditions)
		}
		return nil
	})
	data, _, _ := unstructured.NestedStringMap(k.get(t, "v1", "ConfigMap", vela.Namespace, configMap).Object, "data")
	if schema := data["openapi-v3-json-schema"]; !strings.Contains(schema, `"type":"object"`) {
		t.Errorf("schema in ConfigMap %s: got %q, want that of an object", configMap, schema)
	}
}

// applySettings applies the ConfigMap settings. color is its data, and team is a label.
func (k env) applySettings(t *testing.T, namespace, color, team string) {
	t.Helper()
	k.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: settings, labels: {team: %s}}\ndata: {color: %s}", namespace, team, color))
}

// applyToken applies the Secret token.
func (k env) applyToken(t *testing.T, namespace, value string) {
	t.Helper()
	k.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: token}\nstringData: {token: %s}", namespace, value))
}

// bumpOnChange tests that changed data of a referenced ConfigMap or Secret creates a
// revision, that a changed label does not, and that removing the trait deletes its
// objects.
func bumpOnChange(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Apply(t, example(t, ns, "bump-on-change/objects.yaml"))
	app := example(t, ns, "bump-on-change/application.yaml")
	k.Apply(t, app)
	k.waitForRevision(t, ns, "shop", 1)
	k.waitForTriggers(t, ns, 1)
	k.applySettings(t, ns, "green", "a")
	k.waitForRevision(t, ns, "shop", 2)
	k.applySettings(t, ns, "green", "b")
	k.applyToken(t, ns, "two")
	k.waitForRevision(t, ns, "shop", 3)
	k.checkPublishVersion(t, ns, "shop", "2")

	k.Apply(t, strings.Replace(app, "        - type: bump-on-change\n", "", 1))
	k.expectRemaining(t, ns, []string{"settings"}, []string{"web"})
}

// refObjects tests the trait bump-on-change on a component of type ref-objects.
func refObjects(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.applySettings(t, ns, "blue", "a")
	k.Apply(t, application(ns, "config", `
    - name: objects
      type: ref-objects
      properties: {objects: [{resource: configmap, name: settings}]}
      traits: [{type: bump-on-change}]
  policies:
    - name: others
      type: read-only
      properties: {rules: [{selector: {resourceNames: [settings]}}]}
`))
	k.waitForRevision(t, ns, "config", 1)
	k.waitForTriggers(t, ns, 1)
	k.applySettings(t, ns, "green", "a")
	k.waitForRevision(t, ns, "config", 2)
	k.Vela(t, "delete", "config", "-n", ns, "-y")
	k.expectRemaining(t, ns, []string{"settings"}, nil)
}

// trigger tests that both triggers of the trait trigger run, and that removing the trait
// deletes its objects.
func trigger(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Apply(t, example(t, ns, "bump-on-change/objects.yaml"))
	app := example(t, ns, "trigger-trait/application.yaml")
	k.Apply(t, app)
	k.waitForRevision(t, ns, "shop", 1)
	k.waitForTriggers(t, ns, 1)
	k.applySettings(t, ns, "red", "a")
	k.applySettings(t, ns, "green", "a")
	k.waitForRevision(t, ns, "shop", 2)
	k.checkPublishVersion(t, ns, "shop", "1")
	k.expectAnnotation(t, ns) // KubeVela changes the revision label of the workload

	without, _, _ := strings.Cut(app, "        - type: trigger\n")
	k.Apply(t, without)
	k.expectRemaining(t, ns, []string{"settings"}, []string{"web"})
}

// triggerService tests the health and status of the component trigger-service, and that
// deleting its Application deletes the objects of the component.
func triggerService(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Apply(t, example(t, ns, "trigger-service/objects.yaml"))
	k.Apply(t, example(t, ns, "trigger-service/application.yaml"))
	k.waitForRevision(t, ns, "triggers", 1)
	k.waitForTriggers(t, ns, 1)
	k.applySettings(t, ns, "green", "a")
	k.expectAnnotation(t, ns)
	k.waitForStatus(t, ns, "triggers", "Running: 1/1 triggers")
	k.Vela(t, "delete", "triggers", "-n", ns, "-y")
	for _, kind := range []string{"Role", "RoleBinding"} { // of objects.yaml
		o := object("rbac.authorization.k8s.io/v1", kind)
		o.SetNamespace(ns)
		o.SetName("kube-trigger-mark")
		if err := k.Client.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	k.expectRemaining(t, ns, []string{"settings"}, nil)
}

// example returns a file of the folder examples, with objects in the namespace. Its
// components have 0 replicas, because the cluster has no nodes.
func example(t *testing.T, namespace, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples", file))
	if err != nil {
		t.Fatal(err)
	}
	out := strings.ReplaceAll(string(text), "namespace: default", "namespace: "+namespace)
	return strings.ReplaceAll(out, "      traits:\n", "      traits:\n        - {type: scaler, properties: {replicas: 0}}\n")
}

// expectAnnotation waits until a trigger has set the annotation "marked" of the ConfigMap
// settings.
func (k env) expectAnnotation(t *testing.T, namespace string) {
	t.Helper()
	cluster.Eventually(t, "annotation marked of ConfigMap settings", func(ctx context.Context) error {
		o := object("v1", "ConfigMap")
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "settings"}, o); err != nil {
			return err
		}
		if o.GetAnnotations()["marked"] != "yes" {
			return fmt.Errorf("got annotations %v", o.GetAnnotations())
		}
		return nil
	})
}

// publishVersion returns the annotation app.oam.dev/publishVersion of an Application.
func (k env) publishVersion(t *testing.T, namespace, name string) string {
	t.Helper()
	return k.get(t, "core.oam.dev/v1beta1", "Application", namespace, name).GetAnnotations()["app.oam.dev/publishVersion"]
}

// checkPublishVersion checks the annotation app.oam.dev/publishVersion.
func (k env) checkPublishVersion(t *testing.T, namespace, name, want string) {
	t.Helper()
	if got := k.publishVersion(t, namespace, name); got != want {
		t.Errorf("got publishVersion %q, want %q", got, want)
	}
}

// expectRemaining waits until a namespace contains no objects of kube-trigger, and exactly
// the given ConfigMaps and Deployments.
func (k env) expectRemaining(t *testing.T, namespace string, configMaps, deployments []string) {
	t.Helper()
	for _, kind := range []struct {
		apiVersion, kind string
		want             []string
	}{
		{"standard.oam.dev/v1alpha1", "TriggerService", nil},
		{"standard.oam.dev/v1alpha1", "TriggerCheckpoint", nil},
		{"standard.oam.dev/v1alpha1", "TriggerEvent", nil},
		{"core.oam.dev/v1alpha1", "Definition", nil},
		{"v1", "ServiceAccount", nil},
		{"rbac.authorization.k8s.io/v1", "Role", nil},
		{"rbac.authorization.k8s.io/v1", "RoleBinding", nil},
		{"coordination.k8s.io/v1", "Lease", nil},
		{"apps/v1", "Deployment", deployments},
		{"v1", "ConfigMap", configMaps},
	} {
		cluster.Eventually(t, "deletion of "+kind.kind+"s", func(ctx context.Context) error {
			got, err := k.names(ctx, namespace, kind.apiVersion, kind.kind)
			// KubeVela stores the context of each workflow in a ConfigMap. The addon has a Role in
			// bumpNamespace.
			got = slices.DeleteFunc(got, func(name string) bool {
				return strings.HasPrefix(name, "workflow-") || name == "kube-trigger-clusters"
			})
			if err == nil && !slices.Equal(got, kind.want) {
				err = fmt.Errorf("got %v, want %v", got, kind.want)
			}
			return err
		})
	}
}
