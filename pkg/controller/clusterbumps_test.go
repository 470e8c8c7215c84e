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
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// remote is an Application whose components are in the joined cluster edge.
type remote struct {
	placed

	cluster *cluster.Cluster
	ns      string
}

// newRemote returns the Application without a status, and in the cluster edge: Deployment
// web, which reads ConfigMap settings; ConfigMap own; and Deployment plain, which reads
// Secret password. Each is of the component of its name. The login of the cluster may list these
// kinds alone.
func newRemote(t *testing.T) remote {
	t.Helper()
	r := remote{placed: newPlaced(t), cluster: cluster.Start(t, cluster.Own())}
	r.ns = r.cluster.Namespace(t)
	hub := cluster.Start(t)
	hub.Join(t, "edge", nil, r.cluster.ServiceAccount(t, r.ns, "reader",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps", "secrets"}, Verbs: []string{"list"}},
		rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"list"}},
	))
	t.Cleanup(func() { hub.Detach(t, "edge") })
	r.createBumpNamespace(t)
	admin, err := client.New(r.cluster.Config, client.Options{})
	if err == nil {
		err = cluster.Apply(t.Context(), admin, strings.NewReplacer("NS", r.ns, "APP", "app.oam.dev/name: shop, app.oam.dev/namespace: "+r.apps).Replace(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: NS, name: web, labels: {app.oam.dev/component: web, APP}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, envFrom: [{configMapRef: {name: settings}}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: NS, name: plain, labels: {app.oam.dev/component: plain, APP}}
spec:
  selector: {matchLabels: {app: plain}}
  template:
    metadata: {labels: {app: plain}}
    spec: {containers: [{name: plain, image: nginx, envFrom: [{secretRef: {name: password}}]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: NS, name: own.yaml, labels: {app.oam.dev/component: own, APP}}
`))
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (e *env) createBumpNamespace(t *testing.T) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: controller.BumpNamespace}}
	if err := e.client.Create(t.Context(), ns); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
}

// startController starts a controller for clusters, and returns the function that stops it.
func (r remote) startController(t *testing.T, clusters ...string) (stop func()) {
	t.Helper()
	o := r.newOptions(t)
	o.GrantBumps, o.BumpClusters = true, clusters
	o.Namespaces = map[string]ctrlcache.Config{r.apps: {}, controller.BumpNamespace: {}, "vela-system": {}}
	return r.startWith(t, o)
}

// deployed writes the status of the Application: the state of its workflow, objects that it
// has applied, and the components that have the trait, all in a cluster. An object is
// KIND/NAME.
func (r remote) deployed(t *testing.T, workflow, in string, objects []string, components ...string) {
	t.Helper()
	services := []any{map[string]any{"name": "plain", "namespace": r.ns, "cluster": in, "healthy": true, "traits": []any{map[string]any{"type": "scaler", "healthy": true}}}}
	for _, c := range components {
		services = append(services, map[string]any{
			"name": c, "namespace": r.ns, "cluster": in, "healthy": true, "workloadDefinition": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment"},
			"traits": []any{map[string]any{"type": "scaler", "healthy": true}, map[string]any{"type": "bump-on-change", "healthy": true}},
		})
	}
	applied := []any{}
	for _, o := range objects {
		kind, name, _ := strings.Cut(o, "/")
		apiVersion := map[string]string{"Deployment": "apps/v1"}[kind]
		if apiVersion == "" {
			apiVersion = "v1"
		}
		applied = append(applied, map[string]any{"apiVersion": apiVersion, "kind": kind, "namespace": r.ns, "name": name, "cluster": in})
	}
	before := r.app.DeepCopy()
	r.app.Object["status"] = map[string]any{
		"services": services, "appliedResources": applied,
		"workflow": map[string]any{"status": workflow, "appRevision": "shop-v1", "mode": "StepByStep", "suspend": false, "terminated": false, "finished": workflow == "succeeded"},
	}
	if err := r.client.Status().Patch(t.Context(), r.app, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// publish writes the version of the Application.
func (r remote) publish(t *testing.T, version string) {
	t.Helper()
	before := r.app.DeepCopy()
	r.app.SetAnnotations(map[string]string{"app.oam.dev/publishVersion": version})
	if err := r.client.Patch(t.Context(), r.app, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// want waits until the only TriggerService watches exactly these objects in the cluster edge,
// and its account may bump the Application; without objects, until there is none.
func (r remote) want(t *testing.T, step string, objects ...string) {
	t.Helper()
	cluster.Eventually(t, step, func(ctx context.Context) error {
		var (
			services v1alpha1.TriggerServiceList
			bindings rbacv1.RoleBindingList
			got      []string
		)
		err := errors.Join(r.client.List(ctx, &services, client.InNamespace(controller.BumpNamespace)), r.client.List(ctx, &bindings, client.InNamespace(r.apps)))
		if err != nil {
			return err
		}
		for _, ts := range services.Items {
			for _, trigger := range ts.Spec.Triggers {
				got = append(got, trigger.Name+": "+string(trigger.Source.Properties.Raw))
			}
		}
		for i, o := range objects {
			kind, name, _ := strings.Cut(o, "/")
			prefix := strings.ToLower(kind) + "-" + strings.ReplaceAll(name, ".", "-") + "-"
			properties := fmt.Sprintf(`{"apiVersion":"v1","clusters":["edge"],"events":["create","update"],"fieldSelector":"metadata.name=%s","kind":%q,"namespace":%q}`, name, kind, r.ns)
			if len(got) <= i+1 || !strings.HasPrefix(got[i+1], prefix) || !strings.HasSuffix(got[i+1], ": "+properties) {
				return fmt.Errorf("triggers: got %s, want %s%s", strings.Join(got, "\n"), prefix, properties)
			}
		}
		rights := []string{}
		for _, b := range bindings.Items {
			rights = append(rights, b.Subjects[0].Namespace+"/"+b.Subjects[0].Name)
		}
		want := []string{}
		if len(objects) > 0 {
			want = append(want, controller.BumpNamespace+"/kube-trigger")
		}
		if len(services.Items) != len(want) || len(objects) > 0 && len(got) != len(objects)+1 {
			return fmt.Errorf("triggers: got %s, want those of %v", strings.Join(got, "\n"), objects)
		}
		if diff := cmp.Diff(want, rights); diff != "" {
			return fmt.Errorf("accounts that may bump (-want +got): %s", diff)
		}
		return nil
	})
}

// wantEvent waits until an Event of the Application has a message.
func (r remote) wantEvent(t *testing.T, message string) {
	t.Helper()
	cluster.Eventually(t, "Event", func(ctx context.Context) error {
		var list corev1.EventList
		if err := r.client.List(ctx, &list, client.InNamespace(r.apps)); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.InvolvedObject.UID == r.app.GetUID() && e.Reason == "NotWatched" && strings.Contains(e.Message, message) {
				return nil
			}
		}
		return fmt.Errorf("got %v, want %q", list.Items, message)
	})
}

// TestClusterBumps follows what an Application has deployed to another cluster.
func TestClusterBumps(t *testing.T) {
	r := newRemote(t)
	stop := r.startController(t, "edge")
	all := []string{"Deployment/web", "Deployment/plain", "ConfigMap/own.yaml"}
	r.deployed(t, "executing", "edge", all, "web")
	r.want(t, "a component with the trait", "ConfigMap/settings")
	r.deployed(t, "executing", "edge", nil)
	r.deployed(t, "executing", "edge", all, "own")
	r.want(t, "both, while it is not deployed", "ConfigMap/own.yaml", "ConfigMap/settings")
	r.deployed(t, "succeeded", "edge", all, "own")
	r.want(t, "one, when it is deployed", "ConfigMap/own.yaml")
	r.deployed(t, "succeeded", "edge", nil, "web", "deleted")
	r.want(t, "both, while a component has no objects", "ConfigMap/settings", "ConfigMap/own.yaml")
	r.deployed(t, "succeeded", "edge", all, "plain", "web")
	r.want(t, "a Secret", "ConfigMap/settings", "Secret/password")

	r.publish(t, "v1.0")
	r.want(t, "none for a pinned Application")
	r.publish(t, "1")
	r.want(t, "those of an Application that is not pinned", "ConfigMap/settings", "Secret/password")
	r.deployed(t, "succeeded", "other", all, "web")
	r.want(t, "none for a cluster that is not named")

	r.deployed(t, "succeeded", "edge", all, "web")
	r.want(t, "a component with the trait again", "ConfigMap/settings")
	stop()
	r.startController(t, "us")
	r.want(t, "none for a cluster that is not named any more")
}

// TestClusterBumps_Outage keeps the triggers while the cluster cannot be read, and deletes them
// with the Application, which takes no cluster.
func TestClusterBumps_Outage(t *testing.T) {
	r := newRemote(t)
	r.startController(t, "edge")
	r.deployed(t, "succeeded", "edge", []string{"Deployment/web"}, "web")
	r.want(t, "a component with the trait", "ConfigMap/settings")
	r.cluster.StopAPIServer(t)
	r.deployed(t, "succeeded", "edge", []string{"Deployment/web", "ConfigMap/own.yaml"}, "own")
	r.wantEvent(t, `Trait bump-on-change in cluster "edge": list /v1, Kind=ConfigMap in namespace "`+r.ns+`"`)
	r.want(t, "the same", "ConfigMap/settings")
	if err := r.client.Delete(t.Context(), r.app); err != nil {
		t.Fatal(err)
	}
	r.want(t, "none without the Application")
}
