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

package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// stepDefinition returns a WorkflowStepDefinition.
func stepDefinition(namespace, name, template string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1beta1.SchemeGroupVersion.String(), "kind": v1beta1.WorkflowStepDefinitionKind,
		"metadata": map[string]any{"namespace": namespace, "name": name},
		"spec":     map[string]any{"schematic": map[string]any{"cue": map[string]any{"template": template}}},
	}}
}

// stepRevision returns a DefinitionRevision of a WorkflowStepDefinition, as KubeVela makes it.
func stepRevision(namespace, name, version, template string) *unstructured.Unstructured {
	definition := stepDefinition(namespace, name, template).Object
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1beta1.SchemeGroupVersion.String(), "kind": v1beta1.DefinitionRevisionKind,
		"metadata": map[string]any{
			"namespace": namespace, "name": name + "-" + version, "labels": map[string]any{"workflowstepdefinition.oam.dev/name": name},
		},
		"spec": map[string]any{
			"definitionType": "WorkflowStep", "revision": int64(1), "revisionHash": "x", "workflowStepDefinition": definition,
			"componentDefinition": map[string]any{"metadata": map[string]any{}, "spec": map[string]any{"workload": map[string]any{"type": ""}}},
			"traitDefinition":     map[string]any{"metadata": map[string]any{}, "spec": map[string]any{}},
			"policyDefinition":    map[string]any{"metadata": map[string]any{}, "spec": map[string]any{}},
		},
	}}
}

// announce returns the template of a step that logs a text.
func announce(text string) string {
	return fmt.Sprintf("import (\n\t\"strings\"\n\t\"vela/op\"\n)\nlog: op.#Log & {data: \"\\(context.stepName): %s\"}\nparameter: {}", text)
}

// TestReconcile_Steps: an action may be a step of a workflow, of the namespace or of
// vela-system, or a version of one. Changes take effect.
func TestReconcile_Steps(t *testing.T) {
	cluster.Start(t).InstallKubeVelaCRDs(t)
	e := newEnv(t)
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vela-system"}}
	if err := client.IgnoreAlreadyExists(e.client.Create(t.Context(), system)); err != nil {
		t.Fatal(err)
	}
	m := e.newManager(t, logr.Discard(), func(next http.RoundTripper) http.RoundTripper { return next })
	o := e.newOptions(t)
	var err error
	if o.Steps, err = controller.NewSteps(m, e.namespaces()); err != nil || o.Steps == nil {
		t.Fatalf("steps %v: %v", o.Steps, err)
	}
	if err := controller.Setup(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	start(t, m)
	name := "announce-" + e.ns // vela-system is shared
	other := stepDefinition("vela-system", name+"r", announce("other"))
	e.create(t, other)
	t.Cleanup(func() { _ = e.client.Delete(context.Background(), other) })

	ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: "main"}}
	ts.Spec.Triggers = []v1alpha1.Trigger{{
		Source:  v1alpha1.Source{Type: resource.Type, Properties: &runtime.RawExtension{Raw: []byte(`{"apiVersion":"v1","kind":"Pod"}`)}},
		Actions: []v1alpha1.ActionStep{{Type: "step/" + name}, {Type: "step/" + name + "@v1"}},
	}}
	e.create(t, ts)
	waitForMessage := func(status metav1.ConditionStatus, want string) {
		t.Helper()
		cluster.Eventually(t, "the condition Validated", func(ctx context.Context) error {
			var ts v1alpha1.TriggerService
			if err := e.client.Get(ctx, types.NamespacedName{Namespace: e.ns, Name: "main"}, &ts); err != nil {
				return err
			}
			c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated)
			if c == nil || c.Status != status || !strings.Contains(c.Message, want) {
				return fmt.Errorf("got %+v, want %s with %q", c, status, want)
			}
			return nil
		})
	}
	waitForActive := func(action, want string) {
		t.Helper()
		cluster.Eventually(t, "the active template of "+action, func(ctx context.Context) error {
			v, err := e.accepted(ctx, ts)
			if err == nil && !strings.Contains(v.Actions[action], want) {
				err = fmt.Errorf("got %q, want %q", v.Actions[action], want)
			}
			return err
		})
	}
	update := func(d *unstructured.Unstructured, template string) {
		t.Helper()
		if err := e.client.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil {
			t.Fatal(err)
		}
		if err := unstructured.SetNestedField(d.Object, template, "spec", "schematic", "cue", "template"); err != nil {
			t.Fatal(err)
		}
		if err := e.client.Update(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}

	waitForMessage(metav1.ConditionFalse, fmt.Sprintf(`unknown step "step/%s": there is no WorkflowStepDefinition %q; did you mean %q?`, name, name, name+"r"))
	shared := stepDefinition("vela-system", name, announce("shared"))
	e.create(t, shared)
	t.Cleanup(func() { _ = e.client.Delete(context.Background(), shared) })
	waitForMessage(metav1.ConditionFalse, fmt.Sprintf(`there is no DefinitionRevision %q`, name+"-v1"))
	revision := stepRevision(e.ns, name, "v1", announce("first"))
	e.create(t, revision)
	waitForMessage(metav1.ConditionTrue, "")
	waitForActive("step/"+name, "shared")
	waitForActive("step/"+name+"@v1", "first")

	update(shared, announce("changed"))
	waitForActive("step/"+name, "changed")
	own := stepDefinition(e.ns, name, announce("own"))
	e.create(t, own)
	waitForActive("step/"+name, "own")
	update(own, `import "vela/op"`+"\nsuspend: op.#Suspend")
	waitForMessage(metav1.ConditionFalse, fmt.Sprintf("WorkflowStepDefinition %s/%s:2:10: action \"step/%s\": op.#Suspend: an action cannot be suspended", e.ns, name, name))
	waitForActive("step/"+name, "own")
	if err := e.client.Delete(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	waitForActive("step/"+name, "changed")
	waitForMessage(metav1.ConditionTrue, "")
}
