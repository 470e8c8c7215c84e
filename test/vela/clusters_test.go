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
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// bumpNamespace has the TriggerServices that bump Applications from other clusters.
const bumpNamespace = "vela-kube-trigger"

// TestOtherClusters tests bump-on-change of components in two clusters, of which the addon's
// parameter bumpClusters names one: an edit there bumps the Application once, and one in the
// other cluster does not.
func TestOtherClusters(t *testing.T) {
	k := env{KubeVela: vela.Start(t, vela.WithClusterGateway())}
	remote := newRemote(t)
	apps, prod, far := k.Namespace(t), remote.Namespace(t), remote.Namespace(t)
	for _, name := range []string{"edge", "far"} {
		k.Join(t, name, nil, remote.Config)
	}
	k.runPods(t)
	k.Vela(t, "addon", "enable", addonFolder, "bumpClusters={edge}")
	k.waitForAddon(t)

	remote.applySettings(t, prod, "blue", "a")
	remote.applySettings(t, far, "blue", "a")
	app := application(apps, "shop", web+strings.NewReplacer("PROD", prod, "FAR", far).Replace(`
    - name: own
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: own}, data: {color: blue}}]}
    - name: plain
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: plain}, data: {color: blue}}]}
  policies:
    - {name: prod, type: topology, properties: {clusters: [edge], namespace: PROD}}
    - {name: far, type: topology, properties: {clusters: [far], namespace: FAR}}
    - {name: more, type: override, properties: {components: [{name: own, traits: [{type: bump-on-change}]}]}}
  workflow:
    steps:
      - {name: far, type: deploy, properties: {policies: [far]}}
      - {name: prod, type: deploy, properties: {policies: [more, prod]}}
`))
	k.Apply(t, app)
	k.waitForRevision(t, apps, "shop", 1)
	k.waitForTriggers(t, bumpNamespace, 1)
	if out := k.Vela(t, "status", "shop", "-n", apps); !strings.Contains(out, "if the addon's parameter bumpClusters names it: see kubectl get triggerservices -n "+bumpNamespace) {
		t.Errorf("output of vela status: got\n%s\nwant what to set, and where to look", out)
	}

	remote.applySettings(t, far, "green", "a")
	remote.applySettings(t, prod, "green", "a")
	k.waitForRevision(t, apps, "shop", 2)
	k.waitForActions(t, bumpNamespace, 1, 1)
	k.checkPublishVersion(t, apps, "shop", "1")

	// KubeVela deploys an edit of the Application when its version changes.
	k.Apply(t, strings.Replace(app, "image: nginx", "image: nginx:2", 1))
	k.waitForRevision(t, apps, "shop", 3)
	k.waitForActions(t, bumpNamespace, 1, 2)
	k.waitForTriggers(t, bumpNamespace, 1)
	remote.applySettings(t, prod, "red", "a")
	k.waitForRevision(t, apps, "shop", 4)
	k.checkPublishVersion(t, apps, "shop", "3")

	k.Vela(t, "delete", "shop", "-n", apps, "-y")
	k.expectRemaining(t, apps, nil, nil)
	k.expectRemaining(t, bumpNamespace, nil, nil)
	remote.waitForDeletion(t, "apps/v1", "Deployment", prod, "web")

	k.Vela(t, "addon", "enable", addonFolder)
	k.waitForAddon(t)
	k.waitForDeletion(t, "v1", "Namespace", "", bumpNamespace)
	k.waitForDeletion(t, "rbac.authorization.k8s.io/v1", "ClusterRole", "", "kube-trigger-clusters")
}

// newRemote returns a cluster without KubeVela.
func newRemote(t *testing.T) env {
	t.Helper()
	c := cluster.Start(t, cluster.WithControllerManager())
	admin, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return env{KubeVela: &vela.KubeVela{Cluster: c, Client: admin}}
}
