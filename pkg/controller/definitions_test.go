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
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// createDefinition creates a Definition, and returns the function that waits for a status of its
// generation.
func (e *env) createDefinition(t *testing.T, typ, name, source string) (d *corev1alpha1.Definition, checked func()) {
	t.Helper()
	d = &corev1alpha1.Definition{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: name},
		Spec:       corev1alpha1.DefinitionSpec{Type: typ, Templates: map[string]string{corev1alpha1.MainTemplate: source}},
	}
	e.create(t, d)
	return d, func() {
		t.Helper()
		cluster.Eventually(t, "the status of "+name, func(ctx context.Context) error {
			if err := e.client.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
				return err
			}
			if c := meta.FindStatusCondition(d.Status.Conditions, corev1alpha1.ConditionValidated); c == nil || c.ObservedGeneration != d.Generation {
				return fmt.Errorf("got status %+v", d.Status)
			}
			return nil
		})
	}
}

// TestDefinition_Status: a Definition says what it is for, what its properties are, and
// whether it is valid.
func TestDefinition_Status(t *testing.T) {
	e := newEnv(t)
	stop := e.start(t)
	const source = `// Greet by name.

import "vela/builtin"

log: builtin.#Message & {$params: message: "hello " + parameter.name}
parameter: {
	// +usage=Who is greeted
	name: string
}
`
	d, checked := e.createDefinition(t, corev1alpha1.TriggerAction, "trigger-action-greet", source)
	worker, workerChecked := e.createDefinition(t, corev1alpha1.TriggerWorker, "trigger-worker-own", workload.Namespace())
	checked()
	workerChecked()
	if !meta.IsStatusConditionTrue(d.Status.Conditions, corev1alpha1.ConditionValidated) || d.Status.Description != "Greet by name." {
		t.Errorf("got status %+v", d.Status)
	}
	if !meta.IsStatusConditionTrue(worker.Status.Conditions, corev1alpha1.ConditionValidated) || worker.Status.Description == "" {
		t.Errorf("got status %+v of a worker template", worker.Status)
	}
	var schema struct {
		Type       string
		Required   []string
		Properties map[string]struct{ Type, Description string }
	}
	if d.Status.ParameterSchema == nil {
		t.Fatal("no schema")
	}
	if err := json.Unmarshal(d.Status.ParameterSchema.Raw, &schema); err != nil {
		t.Fatal(err)
	}
	if p := schema.Properties["name"]; schema.Type != "object" || p.Type != "string" || p.Description != "Who is greeted" || fmt.Sprint(schema.Required) != "[name]" {
		t.Errorf("got schema %s", d.Status.ParameterSchema.Raw)
	}

	// One that breaks says where, and has no schema; other types have no status.
	d.Spec.Templates[corev1alpha1.MainTemplate] = strings.Replace(source, "parameter.name", "parameter.nme", 1)
	if err := e.client.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	other, _ := e.createDefinition(t, "other", "other", "{")
	checked()
	const want = `spec.templates["main.cue"]:5:65: parameter has no "nme"; did you mean "name"?`
	if c := d.Status.Conditions[0]; c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, want) || d.Status.ParameterSchema != nil {
		t.Errorf("got status %+v, want %s", d.Status, want)
	}
	empty, emptyChecked := e.createDefinition(t, corev1alpha1.TriggerAction, "empty", "")
	emptyChecked()
	if c := empty.Status.Conditions[0]; c.Message != `spec.templates["main.cue"]: is required` {
		t.Errorf("got %+v", c)
	}
	if e.get(t, "other", other); len(other.Status.Conditions) > 0 {
		t.Errorf("got status %+v of another type", other.Status)
	}

	// After a restart, the same version of the program checks only what is new.
	stop()
	before := e.described.Load()
	e.start(t)
	_, checked = e.createDefinition(t, corev1alpha1.TriggerAction, "new", source)
	checked()
	if n := e.described.Load() - before; n != 1 {
		t.Errorf("got %d checks after a restart, want that of the new Definition", n)
	}
}

// TestDefinition_Table: `kubectl get definitions` shows the type, whether the template is valid,
// and the description.
func TestDefinition_Table(t *testing.T) {
	e := newEnv(t)
	e.start(t)
	_, checked := e.createDefinition(t, corev1alpha1.TriggerAction, "greet", "// Greet.\nparameter: {}")
	checked()
	clients, err := kubernetes.NewForConfig(e.config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := clients.RESTClient().Get().AbsPath("/apis/core.oam.dev/v1alpha1/namespaces", e.ns, "definitions").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, c := range table.ColumnDefinitions {
		if c.Priority == 0 {
			columns = append(columns, c.Name)
		}
	}
	if got := strings.Join(columns, " "); got != "Name Type Valid Description Age" {
		t.Errorf("got columns %s", got)
	}
	if got := fmt.Sprint(table.Rows[0].Cells...); len(table.Rows) != 1 || !strings.HasPrefix(got, "greettrigger-actionTrue") || !strings.Contains(got, "Greet.") {
		t.Errorf("got rows %v", table.Rows)
	}
}
