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

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// TestTraitOrder_SingleStage tests the same as traitOrder without the feature gate
// MultiStageComponentApply, which is off by default in KubeVela 1.9 and 1.10.
func TestTraitOrder_SingleStage(t *testing.T) {
	k := env{KubeVela: vela.Start(t, vela.WithSingleStage())}
	k.runPods(t)
	enable(t, k)
	traitOrder(t, k)
}

// traitOrder tests that bump-on-change finds what the trait storage makes the component refer
// to, whatever their order, where the component is in the Application's namespace and where it
// is in another one. An edit of an object gives exactly one revision, and the right to watch it
// goes with the trait.
func traitOrder(t *testing.T, k env) {
	const (
		bump    = "        - type: bump-on-change\n"
		storage = `        - type: storage
          properties:
            configMap: [{name: settings, mountOnly: true, mountPath: /settings}]
            secret: [{name: token, mountOnly: true, mountPath: /token}]
`
		component = `
    - name: web
      type: webservice
      properties: {image: nginx}
      traits:
        - {type: scaler, properties: {replicas: 0}}
TRAITS`
		placed = "  policies:\n    - {name: there, type: topology, properties: {clusters: [local], namespace: NAMESPACE}}\n"
	)
	for name, tc := range map[string]struct {
		traits string
		placed bool
	}{
		"before":                      {traits: bump + storage},
		"after":                       {traits: storage + bump},
		"before in another namespace": {traits: bump + storage, placed: true},
		"after in another namespace":  {traits: storage + bump, placed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apps := k.Namespace(t)
			ns, text := apps, strings.Replace(component, "TRAITS", tc.traits, 1)
			if tc.placed {
				ns = k.Namespace(t)
				text += strings.Replace(placed, "NAMESPACE", ns, 1)
			}
			k.applySettings(t, ns, "blue", "a")
			k.applyToken(t, ns, "one")
			app := application(apps, "shop", text)
			k.Apply(t, app)
			k.waitForRevision(t, apps, "shop", 1)
			k.waitForConfigObjects(t, ns, 2)
			k.applySettings(t, ns, "green", "a")
			k.waitForRevision(t, apps, "shop", 2)
			k.applySettings(t, ns, "green", "b")
			k.applyToken(t, ns, "two")
			k.waitForRevision(t, apps, "shop", 3)
			k.checkPublishVersion(t, apps, "shop", "2")
			k.waitForStatus(t, apps, "shop", "Watching 2 ConfigMaps and Secrets")

			k.Apply(t, strings.Replace(app, bump, "", 1))
			k.expectRemaining(t, ns, []string{"settings"}, []string{"web"})
		})
	}
}

// waitForConfigObjects waits until the only TriggerService of a namespace runs, and watches n
// ConfigMaps and Secrets.
func (k env) waitForConfigObjects(t *testing.T, namespace string, n int64) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("watches of %d objects", n), func(ctx context.Context) error {
		services, err := k.list(ctx, namespace, "standard.oam.dev/v1alpha1", "TriggerService")
		if err != nil {
			return err
		}
		if len(services) != 1 {
			return fmt.Errorf("got %d TriggerServices", len(services))
		}
		got, _, _ := unstructured.NestedInt64(services[0].Object, "status", "configObjects")
		ready, _, _ := unstructured.NestedString(services[0].Object, "status", "readyTriggers")
		if got != n || ready != "2/2" {
			return fmt.Errorf("got %d objects, %s triggers: status %v", got, ready, services[0].Object["status"])
		}
		return nil
	})
}
