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

package e2e

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

var upgrades = flag.Int("upgrades", 2, "number of upgrades of the controller and the workers under load")

// upgrade tests that no event is lost when the Deployments of the controller and of two
// workers roll out under load.
func upgrade(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	worker := func(n int) string {
		return bumpTriggers(ns, "main", fmt.Sprintf("  worker: {properties: {replicas: 2, config: {queueSize: %d}}}", 1000+n))
	}
	i.apply(t, worker(0))
	i.waitForReady(t, ns, "main")
	for n := range objectCount {
		name := fmt.Sprintf("web-%d", n)
		i.createApplication(t, ns, name)
		i.applyConfigMap(t, ns, name, "start")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	rounds := 0
	loaded := start(func() error {
		for ctx.Err() == nil {
			for n := range objectCount {
				// The context of the test, because a round is completed after stop.
				if err := cluster.Apply(t.Context(), i.admin, configMap(ns, fmt.Sprintf("web-%d", n), strconv.Itoa(rounds))); err != nil {
					return err
				}
			}
			rounds++
		}
		return nil
	})
	for n := range *upgrades {
		i.apply(t, worker(n+1))
		patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"upgrade":"%d"}}}}}`, n)
		controller := &appsv1.Deployment{}
		controller.Namespace, controller.Name = "vela-system", "kube-trigger-controller"
		if err := i.admin.Patch(t.Context(), controller, client.RawPatch(types.StrategicMergePatchType, []byte(patch))); err != nil {
			t.Fatal(err)
		}
		i.waitForRollout(t, "vela-system", "kube-trigger-controller", func(*appsv1.Deployment) bool { return true })
		i.waitForRollout(t, ns, "kube-trigger-main", func(d *appsv1.Deployment) bool {
			for _, a := range d.Spec.Template.Spec.Containers[0].Args {
				if a == fmt.Sprintf("--queue-size=%d", 1001+n) {
					return true
				}
			}
			return false
		})
	}
	stop()
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	repeated := i.waitForBumps(t, ns, rounds)
	i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.ReadyTriggers != "1/1" {
			return fmt.Errorf("got status %+v, want 1/1 ready triggers", ts.Status)
		}
		return nil
	})
	t.Logf("%d upgrades of controller and workers; %d events: none lost, %d actions repeated", *upgrades, rounds*objectCount, repeated)
}

// waitForRollout waits until updated returns true for a Deployment, all of its pods have the
// current template, and at least one pod is ready.
func (i *installation) waitForRollout(t *testing.T, namespace, name string, updated func(*appsv1.Deployment) bool) {
	t.Helper()
	cluster.Eventually(t, "rollout of Deployment "+name, func(ctx context.Context) error {
		d := &appsv1.Deployment{}
		if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, d); err != nil {
			return err
		}
		s := d.Status
		if !updated(d) || s.ObservedGeneration != d.Generation || s.UpdatedReplicas != *d.Spec.Replicas || s.Replicas != s.UpdatedReplicas || s.ReadyReplicas < 1 {
			return fmt.Errorf("got status %+v of generation %d, want a complete rollout", s, d.Generation)
		}
		return nil
	})
}
