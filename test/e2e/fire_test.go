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
	"fmt"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// fires tests `kube-trigger fire`: a user with the verb fire has a trigger handle an object that
// it watches, by its filter, or a tick. Other users, and other objects, are refused.
func fires(t *testing.T, i *installation) {
	ns, other := i.Namespace(t), i.Namespace(t)
	i.allowConfigMaps(t, ns)
	for name, value := range map[string]string{"unlabeled": "on", "out": "0", "tick": "0"} {
		i.applyConfigMap(t, ns, name, value)
	}
	i.applyConfigMap(t, other, "in", "on")
	for name, value := range map[string]string{"in": "on", "other": "off"} {
		i.apply(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: %s, labels: {watched: 'yes'}}\ndata: {key: %q}", ns, name, value))
	}
	i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  triggers:
    - name: copy
      # None of the changes that are made here is an event.
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [delete], matchingLabels: {watched: "yes"}}}
      filter: context.data.data.key == "on"
      action:
        type: patch-resource
        cue: 'patch: data: data: {key: context.data.metadata.name, id: context.event.id, type: context.event.type}'
        properties: {resource: {apiVersion: v1, kind: ConfigMap, name: out, namespace: %[1]s}, patch: {type: merge}}
    - name: yearly
      source: {type: cronjob, properties: {schedule: "0 0 1 1 *"}}
      action:
        type: patch-resource
        properties: {resource: {apiVersion: v1, kind: ConfigMap, name: tick, namespace: %[1]s}, patch: {type: merge, data: {data: {key: ticked}}}}
    - name: paused
      suspend: true
      source: {type: cronjob, properties: {schedule: "0 0 1 1 *"}}
      action: {type: log, properties: {message: unreachable}}
`, ns))
	i.waitForReady(t, ns, "main")
	requests := rbacv1.PolicyRule{APIGroups: []string{"standard.oam.dev"}, Resources: []string{"triggerevents"}, Verbs: []string{"create"}}
	reads := rbacv1.PolicyRule{APIGroups: []string{"standard.oam.dev"}, Resources: []string{"triggerservices"}, Verbs: []string{"get"}}
	may := rbacv1.PolicyRule{APIGroups: []string{"standard.oam.dev"}, Resources: []string{"triggerservices"}, Verbs: []string{"fire"}, ResourceNames: []string{"main"}}
	user := kubeconfig(t, i.ServiceAccount(t, ns, "alice", requests, reads, may), ns)
	fire := func(args ...string) error {
		_, err := command(t.Context(), user, append([]string{"fire", "main"}, args...)...)
		return err
	}

	if err := fire("copy", "--object", "configmap/in"); err != nil {
		t.Fatal(err)
	}
	i.waitForValue(t, ns, "out", "key", "in")
	i.waitForValue(t, ns, "out", "type", "update")
	if err := fire("yearly"); err != nil {
		t.Fatal(err)
	}
	i.waitForValue(t, ns, "tick", "key", "ticked")
	if err := fire("copy", "--object", "configmap/other"); err != nil {
		t.Fatal(err)
	}
	i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		if s := ts.Status.Triggers[0]; s.Filtered != 1 || s.Succeeded != 1 {
			return fmt.Errorf("got status %+v, want 1 filtered and 1 succeeded", s)
		}
		return nil
	})
	i.waitForRequests(t, ns)

	for _, c := range []struct{ args, want string }{
		{"copy", `trigger "copy": name the object to handle with --object KIND/NAME`},
		{"copy --object configmap/" + other + "/in", "watches namespace " + ns + ", not " + other},
		{"copy --object secret/in", "watches ConfigMap of v1, not Secret of v1"},
		{"yearly --object configmap/in", "has a schedule: leave out --object"},
		{"paused", "is suspended"},
		{"coppy --object configmap/in", `no trigger "coppy"; did you mean "copy"?`},
	} {
		if err := fire(strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "exit status 2") {
			t.Errorf("fire %s: got %v, want exit status 2 and %q", c.args, err, c.want)
		}
	}
	reader := kubeconfig(t, i.ServiceAccount(t, ns, "bob", requests, reads), ns)
	if _, err := command(t.Context(), reader, "fire", "main", "copy", "--object", "configmap/in"); err == nil || !strings.Contains(err.Error(), "needs the verb fire on its TriggerService") {
		t.Errorf("without the verb fire: got %v", err)
	}

	// The worker checks the reference, too.
	for name, object := range map[string]string{
		"01": "{apiVersion: v1, kind: ConfigMap, namespace: " + other + ", name: in}",
		"02": "{apiVersion: v1, kind: Secret, namespace: " + ns + ", name: in}",
		"03": "{apiVersion: v1, kind: ConfigMap, namespace: " + ns + ", name: unlabeled}",
	} {
		i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerEvent
metadata:
  namespace: %[1]s
  name: main-%[2]s
  labels: {trigger.oam.dev/store: main, trigger.oam.dev/record: dead-letter, trigger.oam.dev/replay: requested}
  annotations: {trigger.oam.dev/order: %[4]q, trigger.oam.dev/replay-requested: %[4]q}
spec: {event: {source: fire}, trigger: {name: copy, namespace: %[1]s}, fire: {triggerService: main, object: %[3]s}}
`, ns, name, object, time.Now().UTC().Format(time.RFC3339Nano)))
	}
	cluster.Eventually(t, "refused references", func(ctx context.Context) error {
		all, err := i.triggerEvents(ctx, ns)
		failed := 0
		for _, te := range all {
			if reason, _, _ := unstructured.NestedString(te.Object, "spec", "failure", "reason"); reason == "ReplayFailed" {
				failed++
			}
		}
		if err == nil && (failed != 3 || len(all) != 3) {
			err = fmt.Errorf("got %d of %d TriggerEvents with reason ReplayFailed, want 3 of 3", failed, len(all))
		}
		return err
	})
	if ts, err := i.triggerService(t.Context(), ns, "main"); err != nil || ts.Status.Triggers[0].Succeeded != 1 {
		t.Errorf("got status %+v, %v, want 1 succeeded", ts.Status, err)
	}
}

// triggerEvents returns the TriggerEvents of a namespace.
func (i *installation) triggerEvents(ctx context.Context, ns string) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind("TriggerEventList"))
	err := i.admin.List(ctx, list, client.InNamespace(ns))
	return list.Items, err
}

// waitForRequests waits until a namespace has no TriggerEvent.
func (i *installation) waitForRequests(t *testing.T, ns string) {
	t.Helper()
	cluster.Eventually(t, "end of the requests", func(ctx context.Context) error {
		all, err := i.triggerEvents(ctx, ns)
		if err == nil && len(all) > 0 {
			err = fmt.Errorf("got %d TriggerEvents, want none", len(all))
		}
		return err
	})
}
