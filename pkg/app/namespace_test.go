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
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// freePort returns a loopback port that nothing listens on.
func freePort(t *testing.T) int32 {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port, _ := l.Addr().(*net.TCPAddr)
	return int32(port.Port)
}

// apply creates or updates the objects of YAML documents, as an administrator.
func (e env) apply(t *testing.T, format string, args ...any) {
	t.Helper()
	c, err := client.New(e.Config, client.Options{})
	if err == nil {
		err = cluster.Apply(t.Context(), c, fmt.Sprintf(format, args...))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// createHook creates a ServiceAccount and a ConfigMap of the same name, which is the only one
// that the ServiceAccount may patch, and a TriggerService whose webhook patches ConfigMap target.
func (e env) createHook(t *testing.T, name, account, target string) {
	t.Helper()
	e.createAccountFor(t, account)
	spec := fmt.Sprintf(`
serviceAccountName: %s
triggers:
  - name: hook
    source: {type: webhook, properties: {auth: none}}
    retry: {limit: 0}
    action:
      type: patch-resource
      properties:
        resource: {apiVersion: v1, kind: ConfigMap, name: %s, namespace: %s}
        patch: {type: merge, data: {data: {by: %s}}}`, account, target, e.namespace, name)
	if err := e.createService(t, name, spec); err != nil {
		t.Fatal(err)
	}
}

func (e env) createAccountFor(t *testing.T, account string) {
	t.Helper()
	e.apply(t, `
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: %[1]s, name: %[2]s}
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: %[1]s, name: %[2]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: %[1]s, name: %[2]s}
rules: [{apiGroups: [""], resources: [configmaps], resourceNames: [%[2]s], verbs: [get, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: %[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[2]s}
subjects: [{kind: ServiceAccount, namespace: %[1]s, name: %[2]s}]
`, e.namespace, account)
}

// call calls the webhook on a port, and returns the status; 0 if nothing listens there.
func (e env) call(t *testing.T, port int32) int {
	t.Helper()
	url := fmt.Sprintf("http://127.0.0.1:%d/%s/hook", port, e.namespace)
	res, err := http.Post(url, "application/json", strings.NewReader(`{"a": 1}`))
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

// triggerText returns the fields of the first trigger in the status of a TriggerService, as text.
func (e env) triggerText(t *testing.T, name string) string {
	t.Helper()
	ts, err := e.services.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	triggers, _, _ := unstructured.NestedSlice(ts.Object, "status", "triggers")
	return fmt.Sprint(triggers)
}

// by returns the TriggerService that has patched a ConfigMap last.
func (e env) by(t *testing.T, name string) string {
	t.Helper()
	cm, err := e.configMaps.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	by, _, _ := unstructured.NestedString(cm.Object, "data", "by")
	return by
}

// namespaceOptions returns the options of the worker of the namespace.
func (e env) namespaceOptions() RunOptions {
	o := DefaultRunOptions()
	o.Kubeconfig, o.WorkerNamespace, o.PodName = e.Kubeconfig, e.namespace, "worker"
	o.ControllerKey, o.WebhookAddr, o.MetricsAddr = acceptance.FormatKey(e.key), "127.0.0.1:0", "127.0.0.1:0"
	return o
}

// TestWorker_Namespace: two TriggerServices in one process act as their own ServiceAccounts,
// with webhooks of equal paths on ports of their own. One whose ServiceAccount is deleted
// stops, and one that is assigned to another worker moves there; the other continues.
func TestWorker_Namespace(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createHook(t, "one", "a", "a")
	e.createHook(t, "two", "b", "a") // account b may not patch it
	one, two := freePort(t), freePort(t)
	for name, port := range map[string]int32{"one": one, "two": two} {
		if err := e.assign(t, name, trigger.NamespaceWorker, port); err != nil {
			t.Fatal(err)
		}
	}
	p := startRun(t, e.namespaceOptions())
	eventually(t, "both webhooks", func() bool { return e.call(t, one) == http.StatusAccepted && e.call(t, two) == http.StatusAccepted })
	eventually(t, "the patch as a", func() bool { return e.by(t, "a") == "one" })
	want := fmt.Sprintf(`User "system:serviceaccount:%s:b" cannot`, e.namespace)
	eventually(t, "the refusal of b", func() bool { return strings.Contains(e.triggerText(t, "two"), want) })
	logged := map[any]int{}
	for _, l := range p.linesWhere(func(l map[string]any) bool { return l["trigger"] == e.namespace+"/hook" }) {
		logged[l["triggerService"]]++
	}
	if logged[e.namespace+"/one"] == 0 || logged[e.namespace+"/two"] == 0 || len(logged) != 2 {
		t.Errorf("lines of the triggers hook, by TriggerService: %v", logged)
	}
	ready := fmt.Sprintf("http://%s/readyz", p.waitForLog(t, "serving metrics")[0]["address"])
	eventually(t, "readiness", func() bool {
		res, err := http.Get(ready)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})

	e.deleteAccount(t, "a")
	eventually(t, "the missing ServiceAccount in the status", func() bool {
		text := e.triggerText(t, "one")
		return strings.Contains(text, "AccountNotFound") && strings.Contains(text, "ServiceAccount "+e.namespace+"/a does not exist")
	})
	if status := e.call(t, one); status != 0 {
		t.Errorf("webhook of a TriggerService without ServiceAccount: status %d", status)
	}
	if status := e.call(t, two); status != http.StatusAccepted {
		t.Errorf("webhook of the other TriggerService: status %d", status)
	}
	e.createAccountFor(t, "a")
	eventually(t, "the webhook again", func() bool { return e.call(t, one) == http.StatusAccepted })

	if err := e.assign(t, "two", trigger.WorkerName("two"), 0); err != nil {
		t.Fatal(err)
	}
	own := e.serviceOptions("two")
	own.PodName, own.WebhookAddr = "own", fmt.Sprintf("127.0.0.1:%d", freePort(t))
	moved := startRun(t, own)
	moved.waitForLog(t, "webhook accepts requests")
	if status := e.call(t, two); status != 0 {
		t.Errorf("webhook of a TriggerService that has moved: status %d", status)
	}
	if status := e.call(t, one); status != http.StatusAccepted {
		t.Errorf("webhook of the TriggerService that has not moved: status %d", status)
	}
	moved.stop(t)
	p.stop(t)
}

func (e env) deleteAccount(t *testing.T, name string) {
	t.Helper()
	account := &unstructured.Unstructured{}
	account.SetAPIVersion("v1")
	account.SetKind("ServiceAccount")
	account.SetNamespace(e.namespace)
	account.SetName(name)
	c, err := client.New(e.Config, client.Options{})
	if err == nil {
		err = c.Delete(t.Context(), account)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// revoke deletes the RoleBinding of an account.
func (e env) revoke(t *testing.T, account string) {
	t.Helper()
	c, err := client.New(e.Config, client.Options{})
	if err == nil {
		err = c.Delete(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: account}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestWorker_SharedWatch: TriggerServices of one account have one watch of the same objects,
// and each of them acts on a change. One of another account has a watch of its own.
func TestWorker_SharedWatch(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createAccount(t)
	before := cluster.WatchCount(t, e.Client(t), "podtemplates")
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		account := "kube-trigger"
		if name == "d" {
			account = "other"
			e.createAccountFor(t, account)
			e.apply(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: view}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, namespace: %[1]s, name: other}]
`, e.namespace)
		}
		e.createConfigMap(t, name)
		if err := errors.Join(e.createService(t, name, fmt.Sprintf(`
serviceAccountName: %s
triggers:
  - source: {type: resource-watcher, properties: {apiVersion: v1, kind: PodTemplate, namespace: %s}}
    action:
      type: patch-resource
      properties:
        resource: {apiVersion: v1, kind: ConfigMap, name: %s, namespace: %[2]s}
        patch: {type: merge, data: {data: {by: %[3]s}}}`, account, e.namespace, name)), e.assign(t, name, trigger.NamespaceWorker, 0)); err != nil {
			t.Fatal(err)
		}
	}
	p := startRun(t, e.namespaceOptions())
	eventually(t, "all watches", func() bool {
		return len(p.linesWhere(func(line map[string]any) bool { return line["msg"] == "watching" })) == len(names)
	})
	e.apply(t, `
apiVersion: v1
kind: PodTemplate
metadata: {namespace: %s, name: t}
template: {spec: {containers: [{name: c, image: i}]}}
`, e.namespace)
	for _, name := range names {
		eventually(t, "the action of "+name, func() bool { return e.by(t, name) == name })
	}
	cluster.WaitForWatches(t, e.Client(t), "podtemplates", before+2)
	p.stop(t)
}

// component has what the trait bump-on-change creates for a component of the Application shop
// that refers to the ConfigMap settings.
const component = `
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: %[1]s, name: %[2]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: %[1]s, name: %[2]s}
rules:
  - {apiGroups: [""], resources: [configmaps], resourceNames: [settings], verbs: [get, list, watch]}
  - {apiGroups: [core.oam.dev], resources: [applications], resourceNames: [shop], verbs: [get, list, watch, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: %[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[2]s}
subjects: [{kind: ServiceAccount, namespace: %[1]s, name: %[2]s}]
---
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata:
  namespace: %[1]s
  name: %[2]s
  labels: {app.oam.dev/name: shop, app.oam.dev/namespace: %[1]s, app.oam.dev/component: %[2]s}
spec:
  serviceAccountName: %[2]s
  triggers:
    - name: config
      source: {type: config, properties: {objects: [{kind: ConfigMap, name: settings}]}}
      action: {type: bump-application-revision, properties: {ownApplication: true}}
    - name: edits
      source:
        type: resource-watcher
        properties: {apiVersion: core.oam.dev/v1beta1, kind: Application, ownApplication: true, events: [update]}
      onChange: [spec]
      action: {type: bump-application-revision, properties: {ownApplication: true}}
`

// TestWorker_ApplicationWatch: three components of an Application, with accounts of their own,
// have one watch of a ConfigMap and one of the Application. An edit of the ConfigMap bumps the
// Application once.
func TestWorker_ApplicationWatch(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createApplication(t, "shop")
	e.createConfigMap(t, "settings")
	configMaps, applications := cluster.WatchCount(t, e.Client(t), "configmaps"), cluster.WatchCount(t, e.Client(t), "applications")
	components := []string{"web-0", "web-1", "web-2"}
	for _, name := range components {
		e.apply(t, component, e.namespace, name)
		if err := e.assign(t, name, trigger.NamespaceWorker, 0); err != nil {
			t.Fatal(err)
		}
	}
	p := startRun(t, e.namespaceOptions())
	eventually(t, "all watches", func() bool {
		return len(p.linesWhere(func(line map[string]any) bool { return line["msg"] == "watching" })) == 2*len(components)
	})
	cluster.WaitForWatches(t, e.Client(t), "configmaps", configMaps+1)
	cluster.WaitForWatches(t, e.Client(t), "applications", applications+1)
	// Labels give no right.
	e.apply(t, component, e.namespace, "eve")
	e.revoke(t, "eve")
	if err := e.assign(t, "eve", trigger.NamespaceWorker, 0); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`User "system:serviceaccount:%s:eve" cannot list`, e.namespace)
	eventually(t, "the refusal of eve", func() bool { return strings.Contains(e.triggerText(t, "eve"), want) })
	for edit := 1; edit <= 2; edit++ {
		e.setValue(t, "settings", fmt.Sprint(edit))
		eventually(t, "the actions of all components", func() bool {
			done := map[any]int{}
			for _, line := range p.linesWhere(func(l map[string]any) bool { return l["msg"] == "Action succeeded" }) {
				done[line["triggerService"]]++
			}
			return len(done) == len(components) && !slices.ContainsFunc(slices.Collect(maps.Values(done)), func(n int) bool { return n != edit })
		})
		if got := e.publishVersion(t, "shop"); got != fmt.Sprint(edit) {
			t.Errorf("version %s after %d edits", got, edit)
		}
	}
	p.stop(t)
	cluster.WaitForWatches(t, e.Client(t), "configmaps", configMaps)
	cluster.WaitForWatches(t, e.Client(t), "applications", applications)
}
