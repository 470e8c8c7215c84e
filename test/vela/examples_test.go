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
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// customAction tests examples/custom-action.
func customAction(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Apply(t, example(t, ns, "custom-action/action.yaml"))
	k.Apply(t, example(t, ns, "custom-action/trigger.yaml"))
	k.waitForReady(t, ns, "annotate")
	k.Apply(t, example(t, ns, "bump-on-change/edited.yaml"))
	k.expectAnnotation(t, ns)
}

// imageJob tests examples/image-job: a changed image creates a Job, and a changed label
// does not.
func imageJob(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.applyDeployment(t, ns, "nginx:1.28", "0")
	k.Apply(t, example(t, ns, "image-job/trigger.yaml"))
	k.waitForReady(t, ns, "smoke-test")
	k.applyDeployment(t, ns, "nginx:1.28", "1")
	k.applyDeployment(t, ns, "nginx:1.29", "1")
	cluster.Eventually(t, "a Job", func(ctx context.Context) error {
		names, err := k.names(ctx, ns, "batch/v1", "Job")
		if err == nil && (len(names) != 1 || !strings.HasPrefix(names[0], "smoke-test-")) {
			err = fmt.Errorf("got Jobs %v, want one of smoke-test", names)
		}
		return err
	})
}

// recordEvents tests examples/record-events: an EventListener records the events of a
// Deployment.
func recordEvents(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Apply(t, example(t, ns, "record-events/trigger.yaml"))
	k.waitForReady(t, ns, "record")
	k.applyDeployment(t, ns, "nginx", "0")
	listener := object("standard.oam.dev/v1alpha1", "EventListener")
	key := types.NamespacedName{Namespace: ns, Name: "web"}
	cluster.Eventually(t, "EventListener web", func(ctx context.Context) error { return k.Client.Get(ctx, key, listener) })
	k.applyDeployment(t, ns, "nginx", "1")
	cluster.Eventually(t, "an event in EventListener web", func(ctx context.Context) error {
		if err := k.Client.Get(ctx, key, listener); err != nil {
			return err
		}
		if events, _, _ := unstructured.NestedSlice(listener.Object, "events"); len(events) == 0 {
			return errors.New("got no events")
		}
		return nil
	})
}

// applyDeployment applies the Deployment web with 0 replicas. label is the value of a label
// of its pods.
func (k env) applyDeployment(t *testing.T, namespace, image, label string) {
	t.Helper()
	k.Apply(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: %s, name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, n: "%s"}}
    spec: {containers: [{name: web, image: "%s"}]}
`, namespace, label, image))
}
