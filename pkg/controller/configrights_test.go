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

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	configsource "github.com/kubevela/kube-trigger/pkg/source/config"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// componentLabels returns the labels that KubeVela gives the objects of a component.
func (p placed) componentLabels(component string) map[string]string {
	return map[string]string{"app.oam.dev/name": "shop", "app.oam.dev/namespace": p.apps, "app.oam.dev/component": component}
}

// createWatching creates a TriggerService of the component web that watches what that refers
// to, and the ConfigMap found.
func (p placed) createWatching(t *testing.T, name string) *v1alpha1.TriggerService {
	t.Helper()
	ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: p.ns, Name: name, Labels: p.componentLabels("web")}}
	ts.Spec.ServiceAccountName = name
	ts.Spec.Triggers = []v1alpha1.Trigger{{
		Source: v1alpha1.Source{Type: configsource.Type, Properties: &runtime.RawExtension{Raw: []byte(`{"objects":[{"kind":"ConfigMap","name":"found"}],"ownComponent":true}`)}},
		Action: v1alpha1.Action{Type: "bump-application-revision", Properties: &runtime.RawExtension{Raw: []byte(`{"ownApplication":true}`)}},
	}}
	p.create(t, ts)
	return ts
}

// newWorkload returns a Deployment of a component whose container reads these ConfigMaps, and
// Secrets of the same names.
func (p placed) newWorkload(component string, names ...string) *appsv1.Deployment {
	labels := map[string]string{"a": component}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.ns, Name: component, Labels: p.componentLabels(component)}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = labels
	c := corev1.Container{Name: "main", Image: "main"}
	for _, name := range names {
		ref := corev1.LocalObjectReference{Name: name}
		c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref}},
			corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref}})
	}
	d.Spec.Template.Spec.Containers = []corev1.Container{c}
	return d
}

// deploy writes the status of the Application as after a deployment of these objects: texts
// like "apps/v1 Deployment web".
func (p placed) deploy(t *testing.T, revision string, objects ...string) {
	t.Helper()
	p.setStatus(t, revision, map[string]any{"status": "succeeded", "finished": true}, objects...)
}

// setStatus writes the status of the Application, with the state of its workflow.
func (p placed) setStatus(t *testing.T, revision string, workflow map[string]any, objects ...string) {
	t.Helper()
	workflow["mode"], workflow["suspend"], workflow["terminated"] = "DAG", false, workflow["status"] == "failed"
	applied := []any{}
	for _, o := range objects {
		f := strings.Fields(o)
		applied = append(applied, map[string]any{"apiVersion": f[0], "kind": f[1], "namespace": p.ns, "name": f[2], "cluster": "local"})
	}
	patch := p.app.DeepCopy()
	p.app.Object["status"] = map[string]any{"appliedResources": applied, "latestRevision": map[string]any{"name": revision, "revision": int64(1), "revisionHash": "a"}, "workflow": workflow}
	if err := p.client.Status().Patch(t.Context(), p.app, client.MergeFrom(patch)); err != nil {
		t.Fatal(err)
	}
}

// wantConfig waits until the account of a TriggerService may watch exactly these objects, and
// its accepted version watches them, and the ConfigMap found.
func (p placed) wantConfig(t *testing.T, step, service string, objects ...string) {
	t.Helper()
	cluster.Eventually(t, step, func(ctx context.Context) error {
		granted, err := p.granted(ctx, service)
		if err != nil {
			return err
		}
		want := append([]string{}, objects...)
		if diff := cmp.Diff(want, granted); diff != "" {
			return fmt.Errorf("granted: %s", diff)
		}
		d := &corev1alpha1.Definition{}
		if err := p.client.Get(ctx, types.NamespacedName{Namespace: p.ns, Name: trigger.AcceptedName(service)}, d); err != nil {
			return err
		}
		var properties struct{ Objects []struct{ Kind, Name string } }
		if err := json.Unmarshal(acceptance.Unverified(d).Spec.Triggers[0].Source.Properties.Raw, &properties); err != nil {
			return err
		}
		var got []string
		for _, o := range properties.Objects {
			got = append(got, o.Kind+" "+o.Name)
		}
		want = append([]string{"ConfigMap found"}, objects...)
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("accepted: %s", diff)
		}
		return nil
	})
}

// granted returns what a TriggerService's account may watch by a Role of the controller.
func (p placed) granted(ctx context.Context, service string) ([]string, error) {
	var (
		roles    rbacv1.RoleList
		bindings rbacv1.RoleBindingList
	)
	config := client.MatchingLabels{"app.kubernetes.io/component": "config"}
	if err := p.client.List(ctx, &bindings, client.InNamespace(p.ns), config); err != nil {
		return nil, err
	}
	if err := p.client.List(ctx, &roles, client.InNamespace(p.ns), config); err != nil {
		return nil, err
	}
	if len(roles.Items) != len(bindings.Items) {
		return nil, fmt.Errorf("%d Roles, %d RoleBindings", len(roles.Items), len(bindings.Items))
	}
	granted := []string{}
	for _, b := range bindings.Items {
		if len(b.Subjects) != 1 || b.Subjects[0].Kind != "ServiceAccount" || b.Subjects[0].Namespace != p.ns || b.Subjects[0].Name != service {
			continue
		}
		for _, r := range roles.Items {
			for _, rule := range r.Rules {
				if r.Name != b.RoleRef.Name {
					continue
				}
				if diff := cmp.Diff([]string{"get", "list", "watch"}, rule.Verbs); diff != "" || len(rule.APIGroups) != 1 || len(rule.Resources) != 1 {
					return nil, fmt.Errorf("rule %+v", rule)
				}
				for _, name := range rule.ResourceNames {
					granted = append(granted, map[string]string{"configmaps": "ConfigMap ", "secrets": "Secret "}[rule.Resources[0]]+name)
				}
			}
		}
	}
	return granted, nil
}

// TestConfigRight gives and takes the right to watch what a component refers to, and has the
// accepted version watch it.
func TestConfigRight(t *testing.T) {
	p := newPlaced(t)
	p.startController(t)
	web := p.newWorkload("web", "settings")
	p.create(t, web)
	p.create(t, p.newWorkload("other", "others"))
	ts := p.createWatching(t, "web")
	p.createWatching(t, "forged")
	const service, workload, other = "standard.oam.dev/v1alpha1 TriggerService web", "apps/v1 Deployment web", "apps/v1 Deployment other"
	p.deploy(t, "shop-v1", service, workload, other, "v1 Secret listed", "apps/v1 Deployment gone")
	p.wantConfig(t, "the right of a listed TriggerService", "web", "ConfigMap settings", "Secret settings")
	p.wantConfig(t, "none for one that is not listed", "forged")

	web.Spec.Template.Spec = p.newWorkload("web", "later", "settings").Spec.Template.Spec
	if err := p.client.Update(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	p.deploy(t, "shop-v2", service, workload)
	p.wantConfig(t, "the right after another deployment", "web", "ConfigMap later", "ConfigMap settings", "Secret later", "Secret settings")

	// KubeVela empties the list when a deployment begins.
	p.setStatus(t, "shop-v3", map[string]any{"status": "executing", "finished": false})
	p.create(t, p.newWorkload("marker", "settings"))
	marker := p.createWatching(t, "marker")
	marker.Labels = p.componentLabels("marker")
	if err := p.client.Update(t.Context(), marker); err != nil {
		t.Fatal(err)
	}
	web.Spec.Template.Spec = p.newWorkload("web", "newest").Spec.Template.Spec
	if err := p.client.Update(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	const markerService, markerWorkload = "standard.oam.dev/v1alpha1 TriggerService marker", "apps/v1 Deployment marker"
	p.setStatus(t, "shop-v3", map[string]any{"status": "executing", "finished": false}, markerService, markerWorkload)
	p.wantConfig(t, "the right of one that is deployed first", "marker", "ConfigMap settings", "Secret settings")
	p.wantConfig(t, "the right during a deployment", "web", "ConfigMap later", "ConfigMap settings", "Secret later", "Secret settings")
	p.setStatus(t, "shop-v3", map[string]any{"status": "suspending", "finished": false}, markerService, markerWorkload, service, workload)
	p.wantConfig(t, "more of it", "web", "ConfigMap later", "ConfigMap newest", "ConfigMap settings", "Secret later", "Secret newest", "Secret settings")
	p.setStatus(t, "shop-v3", map[string]any{"status": "failed", "finished": true}, markerService, markerWorkload)
	p.wantConfig(t, "the right after a deployment that failed", "web", "ConfigMap later", "ConfigMap newest", "ConfigMap settings", "Secret later", "Secret newest", "Secret settings")
	p.deploy(t, "shop-v4", service, workload)
	p.wantConfig(t, "what is left after a deployment", "web", "ConfigMap newest", "Secret newest")
	p.wantConfig(t, "none for one that has gone", "marker")

	p.deploy(t, "shop-v5", service)
	p.wantConfig(t, "none without a workload", "web")
	p.deploy(t, "shop-v6", service, workload)
	p.wantConfig(t, "the right again", "web", "ConfigMap newest", "Secret newest")
	unchanged := ts.DeepCopy()
	ts.Spec.Triggers[0].Source.Properties.Raw = []byte(`{"objects":[{"kind":"ConfigMap","name":"found"}]}`)
	if err := p.client.Patch(t.Context(), ts, client.MergeFrom(unchanged)); err != nil {
		t.Fatal(err)
	}
	p.wantConfig(t, "none for one that does not ask for it", "web")
}

// TestConfigRight_Conflict does not touch a Role of others.
func TestConfigRight_Conflict(t *testing.T) {
	p := newPlaced(t)
	p.create(t, p.newWorkload("web", "settings"))
	p.createWatching(t, "web")
	p.deploy(t, "shop-v1", "standard.oam.dev/v1alpha1 TriggerService web", "apps/v1 Deployment web")
	stop := p.startController(t)
	p.wantConfig(t, "the right", "web", "ConfigMap settings", "Secret settings")
	stop()
	var roles rbacv1.RoleList
	config := client.MatchingLabels{"app.kubernetes.io/component": "config"}
	if err := p.client.List(t.Context(), &roles, client.InNamespace(p.ns), config); err != nil || len(roles.Items) != 1 {
		t.Fatalf("Roles %+v, %v", roles.Items, err)
	}
	foreign := roles.Items[0]
	foreign.OwnerReferences = nil
	foreign.Rules[1].ResourceNames = []string{"of-others"}
	if err := p.client.Update(t.Context(), &foreign); err != nil {
		t.Fatal(err)
	}
	p.startController(t)
	cluster.Eventually(t, "an accepted version without the objects", func(ctx context.Context) error {
		d := &corev1alpha1.Definition{}
		if err := p.client.Get(ctx, types.NamespacedName{Namespace: p.ns, Name: trigger.AcceptedName("web")}, d); err != nil {
			return err
		}
		if raw := string(acceptance.Unverified(d).Spec.Triggers[0].Source.Properties.Raw); strings.Contains(raw, "settings") || strings.Contains(raw, "of-others") {
			return fmt.Errorf("accepted: %s", raw)
		}
		return nil
	})
	if granted, err := p.granted(t.Context(), "web"); err != nil || !cmp.Equal(granted, []string{"ConfigMap settings", "Secret of-others"}) {
		t.Errorf("the Role of others: %v, %v", granted, err)
	}
}
