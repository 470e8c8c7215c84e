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
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// placed is an Application in a namespace of its own, and TriggerServices that name it in the
// namespace of the env.
type placed struct {
	*env
	apps string
	app  *unstructured.Unstructured
}

func newPlaced(t *testing.T) placed {
	t.Helper()
	c := cluster.Start(t)
	c.InstallKubeVelaCRDs(t)
	p := placed{env: newEnv(t), apps: c.Namespace(t), app: &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "spec": map[string]any{"components": []any{}},
	}}}
	p.app.SetNamespace(p.apps)
	p.app.SetName("shop")
	p.create(t, p.app)
	return p
}

// startController starts a controller that gives rights to bump, and returns the function
// that stops it.
func (p placed) startController(t *testing.T) (stop func()) {
	t.Helper()
	o := p.newOptions(t)
	o.GrantBumps = true
	o.Namespaces = map[string]ctrlcache.Config{p.ns: {}, p.apps: {}, "vela-system": {}}
	return p.startWith(t, o)
}

// createNamed creates a TriggerService that names the Application and acts as an account.
func (p placed) createNamed(t *testing.T, name string) *v1alpha1.TriggerService {
	t.Helper()
	ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: p.ns, Name: name, Labels: map[string]string{
		"app.oam.dev/name": "shop", "app.oam.dev/namespace": p.apps,
	}}}
	ts.Spec.ServiceAccountName = name
	ts.Spec.Triggers = []v1alpha1.Trigger{{
		Source: v1alpha1.Source{Type: resource.Type, Properties: &runtime.RawExtension{Raw: []byte(`{"apiVersion":"v1","kind":"ConfigMap"}`)}},
		Action: v1alpha1.Action{Type: "bump-application-revision", Properties: &runtime.RawExtension{Raw: []byte(`{"ownApplication":true}`)}},
	}}
	p.create(t, ts)
	return ts
}

// list writes the status of the Application: it has been deployed, and applied an object of each
// name.
func (p placed) list(t *testing.T, kind, namespace, cluster string, names ...string) {
	t.Helper()
	p.writeStatus(t, "succeeded", kind, namespace, cluster, names...)
}

// writeStatus writes the status of the Application: its workflow is in a phase.
func (p placed) writeStatus(t *testing.T, phase, kind, namespace, cluster string, names ...string) {
	t.Helper()
	applied := []any{}
	for _, name := range names {
		applied = append(applied, map[string]any{"apiVersion": "standard.oam.dev/v1alpha1", "kind": kind, "namespace": namespace, "name": name, "cluster": cluster})
	}
	patch := p.app.DeepCopy()
	if err := unstructured.SetNestedSlice(p.app.Object, applied, "status", "appliedResources"); err != nil {
		t.Fatal(err)
	}
	workflow := map[string]any{"status": phase, "mode": "StepByStep", "suspend": false, "terminated": false, "finished": phase == "succeeded"}
	if err := unstructured.SetNestedMap(p.app.Object, workflow, "status", "workflow"); err != nil {
		t.Fatal(err)
	}
	if err := p.client.Status().Patch(t.Context(), p.app, client.MergeFrom(patch)); err != nil {
		t.Fatal(err)
	}
}

// want waits until exactly these ServiceAccounts of the env's namespace may bump the
// Application, each by a Role and a RoleBinding of its own.
func (p placed) want(t *testing.T, step string, accounts ...string) {
	t.Helper()
	want := append([]string{}, accounts...)
	cluster.Eventually(t, step, func(ctx context.Context) error {
		var (
			roles    rbacv1.RoleList
			bindings rbacv1.RoleBindingList
		)
		if err := p.client.List(ctx, &roles, client.InNamespace(p.apps)); err != nil {
			return err
		}
		if err := p.client.List(ctx, &bindings, client.InNamespace(p.apps)); err != nil {
			return err
		}
		rules := []rbacv1.PolicyRule{{
			APIGroups: []string{"core.oam.dev"}, Resources: []string{"applications"}, ResourceNames: []string{"shop"},
			Verbs: []string{"get", "list", "watch", "patch"},
		}}
		names := map[string]bool{}
		for _, r := range roles.Items {
			if diff := cmp.Diff(rules, r.Rules); diff != "" {
				return fmt.Errorf("Role %s: %s", r.Name, diff)
			}
			names[r.Name] = true
		}
		got := []string{}
		for _, b := range bindings.Items {
			if s := b.Subjects[0]; !names[b.RoleRef.Name] || len(b.Subjects) != 1 || s.Kind != "ServiceAccount" || s.Namespace != p.ns {
				return fmt.Errorf("RoleBinding %+v", b)
			}
			got = append(got, b.Subjects[0].Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || len(roles.Items) != len(want) {
			return fmt.Errorf("%d Roles, %s", len(roles.Items), diff)
		}
		return nil
	})
}

// TestBumpRight gives and takes the right to bump an Application in another namespace.
func TestBumpRight(t *testing.T) {
	p := newPlaced(t)
	stop := p.startController(t)
	p.createNamed(t, "a-forged")
	web := p.createNamed(t, "web")
	p.list(t, "TriggerService", p.ns, "", "web")
	p.want(t, "the right of a listed TriggerService", "web")
	p.list(t, "TriggerService", p.ns, "edge", "web")
	p.want(t, "none for one that is listed in another cluster")
	p.list(t, "ConfigMap", p.ns, "", "web")
	p.want(t, "none for an object of another kind")
	p.list(t, "TriggerService", p.apps, "", "web")
	p.want(t, "none for one that is listed in another namespace")
	p.list(t, "TriggerService", p.ns, "local", "web")
	p.want(t, "the right again", "web")

	p.writeStatus(t, "executing", "TriggerService", p.ns, "")
	p.createNamed(t, "web-1")
	p.writeStatus(t, "executing", "TriggerService", p.ns, "", "web-1")
	p.want(t, "the right stays while the Application is deployed", "web", "web-1")
	p.writeStatus(t, "suspending", "ConfigMap", p.ns, "", "settings")
	p.createNamed(t, "web-3")
	p.writeStatus(t, "suspending", "TriggerService", p.ns, "", "web-3")
	p.want(t, "and while its deployment is suspended", "web", "web-1", "web-3")
	p.list(t, "TriggerService", p.ns, "", "web")
	p.want(t, "those that the deployment has left", "web")

	unchanged := web.DeepCopy()
	web.Spec.Triggers[0].Action.Properties.Raw = []byte(`{"namespace":"x","nameSelector":{"name":"shop"}}`)
	if err := p.client.Patch(t.Context(), web, client.MergeFrom(unchanged)); err != nil {
		t.Fatal(err)
	}
	p.want(t, "none for one that does not ask for it")

	web = p.createNamed(t, "web-2")
	p.list(t, "TriggerService", p.ns, "", "web-2")
	p.want(t, "the right of another one", "web-2")
	stop()
	if err := p.client.Delete(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	p.startController(t)
	p.want(t, "none after a deletion while no controller ran")
}
