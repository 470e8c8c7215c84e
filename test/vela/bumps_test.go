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

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// oneBump tests that three components with the trait bump-on-change, which refer to one
// ConfigMap, give an Application one revision for an edit of the ConfigMap, and one for an
// edit of the Application, that no pod template changes for a bump, and that all of them have
// one watch of the ConfigMap and one of the Application. No other test may run meanwhile.
func oneBump(t *testing.T, k env) {
	ns := k.Namespace(t)
	client, watches := k.Cluster.Client(t), map[string]int{"configmaps": 0, "applications": 0}
	for resource := range watches {
		watches[resource] = cluster.WatchCount(t, client, resource)
	}
	k.applySettings(t, ns, "blue", "a")
	var components strings.Builder
	for n := range 3 {
		fmt.Fprintf(&components, `
    - name: web-%d
      type: webservice
      properties: {image: nginx, env: [{name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}]}
      traits: [{type: scaler, properties: {replicas: 0}}, {type: bump-on-change}]`, n)
	}
	app := application(ns, "shop", components.String())
	k.Apply(t, app)
	k.waitForRevision(t, ns, "shop", 1)
	k.waitForTriggers(t, ns, 3)
	for resource, n := range watches {
		cluster.WaitForWatches(t, client, resource, n+1)
	}
	before := k.podSpec(t, ns, "web-0")

	k.applySettings(t, ns, "green", "a")
	k.waitForActions(t, ns, 3, 1)
	k.checkPublishVersion(t, ns, "shop", "1")
	k.waitForRevision(t, ns, "shop", 2)
	if after := k.podSpec(t, ns, "web-0"); !equality.Semantic.DeepEqual(before, after) {
		t.Errorf("pod template: got %v, want %v", after, before)
	}

	k.Apply(t, strings.ReplaceAll(app, "image: nginx,", "image: nginx:2,"))
	k.waitForActions(t, ns, 3, 2)
	k.checkPublishVersion(t, ns, "shop", "2")
	k.waitForRevision(t, ns, "shop", 3)
	revisions, err := k.names(t.Context(), ns, "core.oam.dev/v1beta1", "ApplicationRevision")
	if err != nil || len(revisions) != 3 {
		t.Errorf("ApplicationRevisions: got %v (%v), want 3", revisions, err)
	}
	for resource, n := range watches {
		cluster.WaitForWatches(t, client, resource, n+1)
	}
	k.deleteApplications(t, ns, "shop")
	for resource, n := range watches {
		cluster.WaitForWatches(t, client, resource, n)
	}
}

// podSpec returns the pod template of a Deployment.
func (k env) podSpec(t *testing.T, namespace, name string) map[string]any {
	t.Helper()
	d := object("apps/v1", "Deployment")
	if err := k.Client.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, d); err != nil {
		t.Fatal(err)
	}
	template, _, _ := unstructured.NestedMap(d.Object, "spec", "template")
	return template
}

// waitForActions waits until each of n TriggerServices of a namespace has had a number of
// actions that succeeded.
func (k env) waitForActions(t *testing.T, namespace string, n int, actions int64) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("%d actions of %d TriggerServices", actions, n), func(ctx context.Context) error {
		services, err := k.list(ctx, namespace, "standard.oam.dev/v1alpha1", "TriggerService")
		if err != nil {
			return err
		}
		if len(services) != n {
			return fmt.Errorf("got %d TriggerServices", len(services))
		}
		for _, ts := range services {
			if got, _, _ := unstructured.NestedInt64(ts.Object, "status", "succeeded"); got != actions {
				return fmt.Errorf("got %d actions of %s: status %v", got, ts.GetName(), ts.Object["status"])
			}
		}
		return nil
	})
}
