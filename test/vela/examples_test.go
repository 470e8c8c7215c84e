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

	corev1 "k8s.io/api/core/v1"
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
	k.expectSmokeTest(t, ns)
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

// fromWorkflow tests examples/from-workflow. A step of an Application's workflow calls the webhook
// of a trigger, and another trigger sees that a workflow fails, whose step has another token.
func fromWorkflow(t *testing.T, k env) {
	ns := k.Namespace(t)
	for name, token := range map[string]string{"deployed-hook": "0123456789abcdef", "other-hook": "fedcba9876543210"} {
		k.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: %s}\nstringData: {token: %s}", ns, name, token))
	}
	k.Apply(t, example(t, ns, "from-workflow/trigger.yaml"))
	step := "from-workflow/step.yaml"
	if strings.HasPrefix(k.Version(), "v1.9.") {
		step = "from-workflow/kubevela-1.9/step.yaml"
	}
	k.Apply(t, example(t, ns, step))
	k.waitForReady(t, ns, "deployments")
	const url = "http://kube-trigger-deployments.default:8090/"
	text := example(t, ns, "from-workflow/application.yaml")
	if !strings.Contains(text, url) {
		t.Fatalf("the Application does not call %s", url)
	}
	app := strings.Replace(text, url, "http://"+k.webhookAddress(t, ns, "deployments")+"/", 1)
	k.Apply(t, app)
	k.waitForPhase(t, ns, "web", "running")
	k.expectSmokeTest(t, ns)

	k.Apply(t, strings.NewReplacer("name: web", "name: broken", "component: web", "component: broken", "deployed-hook", "other-hook").Replace(app))
	k.waitForPhase(t, ns, "broken", "workflowFailed")
	cluster.Eventually(t, "a Warning about the workflow", func(ctx context.Context) error {
		events, err := k.list(ctx, ns, "v1", "Event")
		if err != nil {
			return err
		}
		var got []string
		for _, ev := range events {
			if reason, _, _ := unstructured.NestedString(ev.Object, "reason"); reason == "WorkflowFailed" {
				name, _, _ := unstructured.NestedString(ev.Object, "involvedObject", "name")
				message, _, _ := unstructured.NestedString(ev.Object, "message")
				got = append(got, name+": "+message)
			}
		}
		if want := "broken: failed at broken-v1"; len(got) != 1 || got[0] != want {
			return fmt.Errorf("got %q, want %q", got, want)
		}
		return nil
	})
	k.expectSmokeTest(t, ns)
}

// webhookAddress returns the address of the webhooks of a TriggerService.
func (k env) webhookAddress(t *testing.T, namespace, name string) string {
	t.Helper()
	var address string
	cluster.Eventually(t, "webhooks of "+name, func(ctx context.Context) error {
		s := &corev1.Service{}
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "kube-trigger-" + name}, s); err != nil {
			return err
		}
		for _, p := range k.node.Pods(namespace) {
			address = p.Address(s.Spec.Ports[0].TargetPort.IntVal)
			return nil
		}
		return errors.New("no pod runs")
	})
	return address
}

// expectSmokeTest waits until there is one Job, which is a smoke test.
func (k env) expectSmokeTest(t *testing.T, namespace string) {
	t.Helper()
	cluster.Eventually(t, "a Job", func(ctx context.Context) error {
		names, err := k.names(ctx, namespace, "batch/v1", "Job")
		if err == nil && (len(names) != 1 || !strings.HasPrefix(names[0], "smoke-test-")) {
			err = fmt.Errorf("got Jobs %v, want one of smoke-test", names)
		}
		return err
	})
}
