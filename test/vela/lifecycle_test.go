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
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// upgrade tests that enabling the addon again applies changed parameters, and that enabling
// it without parameters reverts them.
func upgrade(t *testing.T, k env) {
	k.Vela(t, "addon", "enable", addonFolder, "replicas=2", "logLevel=debug",
		"imagePullSecrets={hub}", "monitoring.dashboard=true", "defaultRole.rules[0].apiGroups={apps}",
		"defaultRole.rules[0].resources={deployments}", "defaultRole.rules[0].verbs={patch}", "trait.anyRights=true")
	k.waitForAddon(t)
	k.checkTrait(t, "_anyRights: true")
	d := k.deployment(t, "kube-trigger-controller")
	if replicas, _, _ := unstructured.NestedInt64(d.Object, "status", "readyReplicas"); replicas != 2 {
		t.Errorf("got %d ready controllers, want 2", replicas)
	}
	text := fmt.Sprint(d.Object["spec"])
	for _, want := range []string{"--log-level=debug", "imagePullSecrets:[map[name:hub]]"} {
		if !strings.Contains(text, want) {
			t.Errorf("spec of the controller: got %s, want %q", text, want)
		}
	}
	for _, name := range []string{"trigger-worker-dedicated", "trigger-worker-namespace"} {
		template := k.get(t, "core.oam.dev/v1alpha1", "Definition", vela.Namespace, name)
		if text := fmt.Sprint(template.Object["spec"]); !strings.Contains(text, `imagePullSecrets: [{"name":"hub"}]`) {
			t.Errorf("spec of the worker template %s: got %s, want the pull secret hub", name, text)
		}
	}
	role := k.get(t, "rbac.authorization.k8s.io/v1", "ClusterRole", "", "kube-trigger-default")
	if text := fmt.Sprint(role.Object["rules"]); !strings.Contains(text, "map[apiGroups:[apps] resources:[deployments] verbs:[patch]]") {
		t.Errorf("rules of ClusterRole kube-trigger-default: got %s, want the additional rule", text)
	}
	k.get(t, "v1", "ConfigMap", vela.Namespace, "kube-trigger-dashboard")

	k.Vela(t, "addon", "enable", addonFolder)
	k.waitForAddon(t)
	k.checkTrait(t, "_anyRights: false")
	k.waitForDeletion(t, "v1", "ConfigMap", vela.Namespace, "kube-trigger-dashboard")
}

// checkTrait checks which form of the trait trigger is installed.
func (k env) checkTrait(t *testing.T, want string) {
	t.Helper()
	trait := k.get(t, "core.oam.dev/v1beta1", "TraitDefinition", vela.Namespace, "trigger")
	if text := fmt.Sprint(trait.Object["spec"]); !strings.Contains(text, want) {
		t.Errorf("spec of the trait trigger: got %s, want %s", text, want)
	}
}

// disable tests that the addon cannot be disabled while an Application uses it, that
// TriggerServices and the policies of their workers remain while the addon is disabled, and
// that the addon can be enabled again.
func disable(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Apply(t, example(t, ns, "trigger-service/objects.yaml"))
	k.Apply(t, example(t, ns, "trigger-service/application.yaml"))
	k.waitForRevision(t, ns, "triggers", 1)
	if out, err := k.TryVela(t, "addon", "disable", addonName); err == nil || !strings.Contains(out, ns+"/triggers") {
		t.Errorf("vela addon disable, with an Application that uses it: got error %v, want an error that names %s/triggers:\n%s", err, ns, out)
	}
	service := k.get(t, "standard.oam.dev/v1alpha1", "TriggerService", ns, "mark")
	k.Vela(t, "delete", "triggers", "-n", ns, "-y")
	k.waitForDeletion(t, "standard.oam.dev/v1alpha1", "TriggerService", ns, "mark")
	k.createService(t, ns, service.Object["spec"])

	k.Vela(t, "addon", "disable", addonName)
	k.waitForDeletion(t, "core.oam.dev/v1beta1", "Application", vela.Namespace, addonApp)
	k.waitForDeletion(t, "apps/v1", "Deployment", vela.Namespace, "kube-trigger-controller")
	k.waitForDeletion(t, "core.oam.dev/v1beta1", "TraitDefinition", vela.Namespace, "bump-on-change")
	k.waitForDeletion(t, "core.oam.dev/v1alpha1", "Definition", vela.Namespace, "trigger-action-log")
	k.applySettings(t, ns, "green", "a")
	k.expectAnnotation(t, ns)
	for _, crd := range k.crds(t) {
		k.get(t, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", crd)
	}
	for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
		k.get(t, "admissionregistration.k8s.io/v1", kind, "", "kube-trigger-triggerevents")
		k.get(t, "admissionregistration.k8s.io/v1", kind, "", "kube-trigger-triggercheckpoints")
		k.get(t, "admissionregistration.k8s.io/v1", kind, "", "kube-trigger-applications")
		k.waitForDeletion(t, "admissionregistration.k8s.io/v1", kind, "", "kube-trigger-deployments")
	}
	k.reenable(t)
	if ts := k.get(t, "standard.oam.dev/v1alpha1", "TriggerService", ns, "mark"); ts.GetDeletionTimestamp() != nil {
		t.Error("TriggerService mark has a deletion timestamp, want none")
	}
}

// reenable tests enabling the addon when its CRDs have no owner and differ. The addon
// replaces its own CRDs, and does not change the CRD of KubeVela's Definitions.
func (k env) reenable(t *testing.T) {
	t.Helper()
	for _, name := range k.crds(t) {
		crd := k.get(t, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name)
		crd.SetLabels(nil)
		crd.SetAnnotations(nil)
		// The CRD of another version may have different categories.
		if err := unstructured.SetNestedStringSlice(crd.Object, []string{"modified"}, "spec", "names", "categories"); err != nil {
			t.Fatal(err)
		}
		if err := k.Client.Update(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
	}
	before := k.get(t, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "definitions.core.oam.dev")
	k.Vela(t, "addon", "enable", addonFolder)
	k.waitForAddon(t)
	if after := k.get(t, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "definitions.core.oam.dev"); !equality.Semantic.DeepEqual(after.Object["spec"], before.Object["spec"]) {
		t.Errorf("spec of the CRD of Definitions: got %v, want %v", after.Object["spec"], before.Object["spec"])
	}
	crd := k.get(t, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "triggerservices.standard.oam.dev")
	if names := fmt.Sprint(crd.Object["spec"].(map[string]any)["names"]); strings.Contains(names, "modified") {
		t.Errorf("names of the CRD of TriggerServices: got %s, want no category modified", names)
	}
	if got := crd.GetLabels()["app.oam.dev/name"]; got != addonApp {
		t.Errorf("owner of the CRD of TriggerServices: got %q, want %q", got, addonApp)
	}
}

// createService creates the TriggerService "mark" without an Application.
func (k env) createService(t *testing.T, namespace string, spec any) {
	t.Helper()
	ts := object("standard.oam.dev/v1alpha1", "TriggerService")
	ts.SetNamespace(namespace)
	ts.SetName("mark")
	ts.Object["spec"] = spec
	if err := k.Client.Create(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	k.waitForReady(t, namespace, "mark")
}

// waitForReady waits until a TriggerService has the condition Ready.
func (k env) waitForReady(t *testing.T, namespace, name string) {
	t.Helper()
	ts := object("standard.oam.dev/v1alpha1", "TriggerService")
	cluster.Eventually(t, "ready TriggerService "+name, func(ctx context.Context) error {
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, ts); err != nil {
			return err
		}
		if !isReady(ts) {
			return fmt.Errorf("got status %v", ts.Object["status"])
		}
		return nil
	})
}

// isReady reports whether the condition Ready of a TriggerService is true.
func isReady(ts *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(ts.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		m, _ := c.(map[string]any)
		return m["type"] == "Ready" && m["status"] == "True"
	})
}

// crds returns the names of the addon's CRDs.
func (k env) crds(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, file := range glob(t, addonFolder+"/crds/*.yaml") {
		group, plural, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".yaml"), "_")
		names = append(names, plural+"."+group)
	}
	return names
}

func (k env) deployment(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	return k.get(t, "apps/v1", "Deployment", vela.Namespace, name)
}

func (k env) get(t *testing.T, apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	o := object(apiVersion, kind)
	if err := k.Client.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, o); err != nil {
		t.Fatal(err)
	}
	return o
}

// waitForDeletion waits until an object does not exist.
func (k env) waitForDeletion(t *testing.T, apiVersion, kind, namespace, name string) {
	t.Helper()
	cluster.Eventually(t, "deletion of "+kind+" "+name, func(ctx context.Context) error {
		err := k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, object(apiVersion, kind))
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil {
			err = errors.New("still exists")
		}
		return err
	})
}
