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
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// TestAuthentication tests bumps with KubeVela's authentication. Each write records its user,
// with whose rights KubeVela deploys the Application: a bump would replace alice by the
// worker's account. The policy refuses it, and the trigger's status says why.
func TestAuthentication(t *testing.T) {
	k := env{KubeVela: vela.Start(t, vela.WithAuthentication())}
	k.InstallKubeTrigger(t)
	k.runPods(t)
	ns := k.Namespace(t)
	alice, err := client.New(k.User("alice", "kubevela:team-a", "system:authenticated"), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k.Apply(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: alice, namespace: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: alice}]
`, ns))
	deploy := func(version string) {
		t.Helper()
		app := strings.Replace(application(ns, "web", `
    - name: settings
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: deployed}, data: {color: blue}}]}
`), "name: web}", fmt.Sprintf("name: web, annotations: {app.oam.dev/publishVersion: %q}}", version), 1)
		if err := cluster.Apply(t.Context(), alice, app); err != nil {
			t.Fatal(err)
		}
	}
	deploy("1")
	k.waitForRevision(t, ns, "web", 1)
	k.expectIdentity(t, ns, "1 alice kubevela:team-a")

	k.Apply(t, configMap(ns, "0"))
	k.Apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  triggers:
    - name: bump
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, fieldSelector: metadata.name=web, events: [update]}}
      action: {type: bump-application-revision}
`, ns))
	k.waitForReady(t, ns, "main")
	k.Apply(t, configMap(ns, "1"))
	ts := object("standard.oam.dev/v1alpha1", "TriggerService")
	cluster.Eventually(t, "dead letter", func(ctx context.Context) error {
		if err := k.Client.Get(ctx, types.NamespacedName{Namespace: ns, Name: "main"}, ts); err != nil {
			return err
		}
		triggers, _, _ := unstructured.NestedSlice(ts.Object, "status", "triggers")
		if text := fmt.Sprint(triggers); !strings.Contains(text, "deadLetters:1") || !strings.Contains(text, "KubeVela's authentication is on") {
			return fmt.Errorf("got status %s", text)
		}
		return nil
	})
	k.expectIdentity(t, ns, "1 alice kubevela:team-a")

	deploy("2")
	k.waitForRevision(t, ns, "web", 2)
	k.expectIdentity(t, ns, "2 alice kubevela:team-a")

	// Without the policy, KubeVela would record the worker's account.
	binding := object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding")
	binding.SetName("kube-trigger-applications")
	if err := k.Client.Delete(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	n := 1
	cluster.Eventually(t, "bump without the policy", func(ctx context.Context) error {
		n++
		if err := cluster.Apply(ctx, k.Client, configMap(ns, fmt.Sprint(n))); err != nil {
			return err
		}
		if got := k.identity(t, ns); !strings.HasSuffix(got, " system:serviceaccount:"+ns+":kube-trigger ") {
			return fmt.Errorf("got %q, want the worker's account", got)
		}
		return nil
	})
}

// configMap returns the YAML of the ConfigMap web.
func configMap(namespace, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: %s, name: web}\ndata: {key: %q}", namespace, value)
}

// identity returns the publishVersion, the user and the group in the annotations of the
// Application web.
func (k env) identity(t *testing.T, namespace string) string {
	t.Helper()
	a := k.get(t, "core.oam.dev/v1beta1", "Application", namespace, "web").GetAnnotations()
	return a["app.oam.dev/publishVersion"] + " " + a["app.oam.dev/username"] + " " + a["app.oam.dev/group"]
}

func (k env) expectIdentity(t *testing.T, namespace, want string) {
	t.Helper()
	if got := k.identity(t, namespace); got != want {
		t.Errorf("version, user and group of the Application: got %q, want %q", got, want)
	}
}
