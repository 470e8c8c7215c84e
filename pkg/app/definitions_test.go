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
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestApplyDefinitions applies an action to a real API server, changes it, and lists it.
func TestApplyDefinitions(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "mark.cue")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	apply := func(o ApplyOptions) (string, error) {
		o.Kubeconfig, o.Namespace = e.Kubeconfig, e.namespace
		if o.Files == nil {
			o.Files = []string{file}
		}
		var out []string
		err := ApplyDefinitions(t.Context(), o, func(a Applied) error {
			if a.Namespace != e.namespace || a.Name != "trigger-action-mark" {
				t.Errorf("applied %s/%s", a.Namespace, a.Name)
			}
			out = append(out, a.Result)
			return nil
		})
		return strings.Join(out, " "), err
	}
	get := func(ctx context.Context) (*unstructured.Unstructured, error) {
		return e.definitions.Get(ctx, "trigger-action-mark", metav1.GetOptions{})
	}
	write(file, "// Mark an object.\nparameter: text: string\n")

	if got, err := apply(ApplyOptions{DryRun: true}); err != nil || got != "created" {
		t.Fatalf("dry run: got %q, %v", got, err)
	}
	if _, err := get(t.Context()); !apierrors.IsNotFound(err) {
		t.Fatalf("after the dry run: got %v, want no Definition", err)
	}
	for _, want := range []string{"created", "unchanged"} {
		if got, err := apply(ApplyOptions{}); err != nil || got != want {
			t.Fatalf("got %q, %v, want %s", got, err, want)
		}
	}
	d, err := get(t.Context())
	if err != nil || d.GetManagedFields()[0].Manager != "kube-trigger" || d.GetManagedFields()[0].Operation != "Apply" {
		t.Fatalf("got %v, %v", d, err)
	}
	write(file, "// Mark it.\nparameter: text: string\n")
	if got, err := apply(ApplyOptions{DryRun: true}); err != nil || got != "configured" {
		t.Fatalf("dry run of a change: got %q, %v", got, err)
	}
	if got, err := apply(ApplyOptions{}); err != nil || got != "configured" {
		t.Fatalf("change: got %q, %v", got, err)
	}

	all, err := ListDefinitions(t.Context(), ClusterOptions{Kubeconfig: e.Kubeconfig}, e.namespace)
	if err != nil || len(all) != 1 || all[0].Type != "mark" || all[0].Namespace != e.namespace || all[0].Valid != "Unknown" {
		t.Errorf("list: got %+v, %v", all, err)
	}

	// Fields of another manager are not taken over, unless that is asked for.
	if d, err = get(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedField(d.Object, "parameter: {}", "spec", "templates", "main.cue"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.definitions.Update(t.Context(), d, metav1.UpdateOptions{FieldManager: "editor"}); err != nil {
		t.Fatal(err)
	}
	if _, err := apply(ApplyOptions{}); !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "editor"`) {
		t.Errorf("got %v, want a conflict", err)
	}
	if got, err := apply(ApplyOptions{ForceConflicts: true}); err != nil || got != "configured" {
		t.Errorf("forced: got %q, %v", got, err)
	}

	// If one action is invalid, none is applied.
	other := filepath.Join(dir, "other.cue")
	write(other, "parameter: text: strin\n")
	write(file, "// Not applied.\nparameter: {}\n")
	if got, err := apply(ApplyOptions{Files: []string{file, other}}); err == nil || got != "" {
		t.Errorf("invalid: got %q, %v", got, err)
	}
	if _, err := apply(ApplyOptions{Files: []string{"mark.yaml"}}); err == nil || err.Error() != "mark.yaml: must be a file that ends in .cue" {
		t.Errorf("YAML: got %v", err)
	}
}
