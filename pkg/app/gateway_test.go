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

package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/gateway"
)

// TestGateway runs examples/multi-cluster through a real cluster-gateway, as a
// ServiceAccount that may access one of two joined clusters, and no Secret.
func TestGateway(t *testing.T) {
	hub, eu := cluster.Start(t, cluster.Own()), cluster.Start(t)
	namespace := hub.Namespace(t)
	client, remote := hub.Client(t), eu.Client(t)
	createShop(t, client, namespace)
	createShop(t, remote, namespace)
	for _, name := range []string{"eu-1", "us-1"} {
		hub.Join(t, name, map[string]string{"env": "prod"}, eu.Config)
	}
	gateway.Start(t, hub)

	team := hub.ServiceAccount(t, namespace, "team",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}})
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "team"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"cluster.core.oam.dev"}, Resources: []string{"virtualclusters"}, Verbs: []string{"get", "list"}},
			{APIGroups: []string{"cluster.core.oam.dev"}, Resources: []string{"clustergateways/proxy"}, ResourceNames: []string{"eu-1"}, Verbs: []string{"get", "patch"}},
		},
	}
	if _, err := client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "team"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "team"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "team"}},
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	eventually(t, "both clusters in the list", func() bool { // cluster-gateway may not know them at first
		got := runListingAction(t, client, namespace, writeKubeconfig(t, team, namespace), "auto")
		return strings.Contains(got, "joined: eu-1 us-1")
	})
	config := exampleConfig(t, "multi-cluster", namespace)
	p := startRun(t, runOptions(t, config, writeKubeconfig(t, team, namespace)))
	eventually(t, "watches", func() bool { return len(p.waitForLog(t, "watching")) == 2 })
	// cluster-gateway may not know eu-1 at first, either.
	eventually(t, "the refusal of the other cluster", func() bool {
		return slices.ContainsFunc(p.waitForLog(t, "watching the cluster failed; retrying"), func(l map[string]any) bool {
			return l["cluster"] == "us-1" && strings.Contains(fmt.Sprint(l["reason"]), `cannot get resource "clustergateways/proxy"`)
		})
	})
	patch := []byte(`{"data": {"v": "1"}}`)
	if _, err := remote.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "web", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a restart of the Deployment", func() bool { return restarts(t, remote, namespace) == 1 })
	if restarts(t, client, namespace) != 0 {
		t.Error("restarted in the hub")
	}
	hub.Detach(t, "eu-1")
	if l := p.waitForLog(t, "cluster left")[0]; l["cluster"] != "eu-1" {
		t.Errorf("got %v", l)
	}
	p.stop(t)
}
