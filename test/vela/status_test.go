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

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// component returns a component with a trait, in the form of application. Its container reads
// the ConfigMap settings, if reads is set.
func component(name string, reads bool, trait string) string {
	text := strings.Replace(web, "name: web", "name: "+name, 1)
	if !reads {
		text = strings.Replace(text, "        env: [{name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}]\n", "", 1)
	}
	return strings.Replace(text, "- type: bump-on-change", "- "+trait, 1)
}

// traitStatus tests the messages of the traits and the health of their components, except
// those of a controller that is down.
func traitStatus(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.applySettings(t, ns, "blue", "a")
	deploy := func(name string, reads bool, trait string) {
		t.Helper()
		k.Apply(t, application(ns, name, component(name, reads, trait)))
		k.waitForRevision(t, ns, name, 1)
	}
	const nothing = "Nothing to watch: the component refers to no ConfigMap or Secret"
	deploy("bare", false, "{type: bump-on-change}")
	k.waitForStatus(t, ns, "bare", nothing)
	deploy("bare-trigger", false, "{type: trigger, properties: {triggers: [{name: a}]}}")
	k.waitForStatus(t, ns, "bare-trigger", nothing)
	deploy("watching", true, "{type: trigger, properties: {triggers: [{name: a}]}}")
	k.waitForStatus(t, ns, "watching", "Running: 2/2 triggers")

	// Not allowed to patch. Deployments with dead letters end, too: waitForStatus waits for it.
	const denied = `{type: trigger, properties: {triggers: [{
          name: deny, retry: {limit: 0},
          action: {type: patch-resource, properties: {resource: {apiVersion: v1, kind: ConfigMap, name: settings}, patch: {type: merge, data: {data: {x: y}}}}}
        }]}}`
	deploy("denied", true, denied)
	k.waitForStatus(t, ns, "denied", "Running: 1/1 triggers")
	k.applySettings(t, ns, "green", "a")
	k.waitForStatus(t, ns, "denied", `gave up 1: `)
	k.waitForStatus(t, ns, "denied", `cannot patch resource "configmaps"`)
	k.deleteDeadLetters(t, ns)
	k.waitForStatus(t, ns, "denied", "Running: 1/1 triggers")

	// The places are those of the user, whatever the number of objects that a trigger watches.
	invalid := strings.Replace(component("invalid", true, `{type: trigger, properties: {triggers: [{name: a}, {name: b, filter: "context.dta == 1"}]}}`),
		"env: [", "env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: token, key: token}}}, ", 1)
	k.Apply(t, application(ns, "invalid", invalid))
	k.waitForStatus(t, ns, "invalid", `InvalidTriggers: spec.triggers[1].filter:1:9: context has no field "dta"`)
	k.waitForStatus(t, ns, "invalid", "❌") // KubeVela 1.9 and 1.10 print it at different places
	k.deleteApplications(t, ns, "bare", "bare-trigger", "watching", "denied", "invalid")
}

// deleteApplications deletes Applications, so that the addon can be disabled.
func (k env) deleteApplications(t *testing.T, namespace string, names ...string) {
	t.Helper()
	for _, name := range names {
		k.Vela(t, "delete", name, "-n", namespace, "-y")
	}
	k.expectRemaining(t, namespace, []string{"settings"}, nil)
}

// deleteDeadLetters deletes the TriggerEvents of a namespace.
func (k env) deleteDeadLetters(t *testing.T, namespace string) {
	t.Helper()
	if err := k.Client.DeleteAllOf(t.Context(), object("standard.oam.dev/v1alpha1", "TriggerEvent"), client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
}

// stoppedController tests that an Application with traits is deployed while no controller
// runs, says that it waits for one, and is bumped once there is one.
func stoppedController(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.applySettings(t, ns, "blue", "a")
	k.scaleController(t, 0)
	k.Apply(t, application(ns, "bump", component("bump", true, "{type: bump-on-change}")))
	k.Apply(t, application(ns, "trigger", component("trigger", true, "{type: trigger, properties: {triggers: [{name: a}]}}")))
	for _, name := range []string{"bump", "trigger"} {
		k.waitForRevision(t, ns, name, 1)
		k.waitForStatus(t, ns, name, "Waiting for kube-trigger")
	}
	k.scaleController(t, 1)
	k.waitForStatus(t, ns, "bump", "Watching 1 ConfigMaps and Secrets")
	k.waitForStatus(t, ns, "trigger", "Running: 2/2 triggers")
	before := map[string]string{}
	for _, name := range []string{"bump", "trigger"} {
		before[name] = k.publishVersion(t, ns, name)
	}
	k.applySettings(t, ns, "green", "a")
	cluster.Eventually(t, "bumps", func(context.Context) error {
		for name, version := range before {
			if k.publishVersion(t, ns, name) == version {
				return fmt.Errorf("Application %s: still version %q", name, version)
			}
		}
		return nil
	})
	k.deleteApplications(t, ns, "bump", "trigger")
}

// scaleController sets the number of the controller's pods, and waits for it. KubeVela sets it
// back within five minutes.
func (k env) scaleController(t *testing.T, replicas int64) {
	t.Helper()
	d := object("apps/v1", "Deployment")
	d.SetNamespace(vela.Namespace)
	d.SetName("kube-trigger-controller")
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	if err := k.Client.Patch(t.Context(), d, patch); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "scaled controller", func(context.Context) error {
		if got := k.deployment(t, "kube-trigger-controller").Object["status"].(map[string]any)["availableReplicas"]; got != replicas && !(got == nil && replicas == 0) {
			return fmt.Errorf("got %v pods", got)
		}
		return nil
	})
}
