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
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

const (
	identityNamespaces = 3
	// servicesPerAccount is the number of TriggerServices that act as each of the two
	// ServiceAccounts of a namespace.
	servicesPerAccount = 10
	// writeTemplate is an action that writes the event's value to a key of a ConfigMap.
	writeTemplate = `
import "vela/kube"
patch: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: parameter.name, namespace: parameter.namespace}}
	patch: {type: "merge", data: data: (parameter.key): context.data.data.key}
}}
parameter: {name: string, namespace: string, key: string}
`
)

// identity is a ServiceAccount that may watch the ConfigMap in-NAME, and patch out-NAME.
type identity struct{ namespace, name string }

func (a identity) user() string { return "system:serviceaccount:" + a.namespace + ":" + a.name }

// createIdentity creates a ServiceAccount without any right but to its two ConfigMaps.
func (i *installation) createIdentity(t *testing.T, a identity) {
	t.Helper()
	i.apply(t, fmt.Sprintf(`
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: %[1]s, name: %[2]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: %[1]s, name: %[2]s}
rules:
- {apiGroups: [''], resources: [configmaps], resourceNames: [in-%[2]s], verbs: [get, list, watch]}
- {apiGroups: [''], resources: [configmaps], resourceNames: [out-%[2]s], verbs: [patch]}
- {apiGroups: [''], resources: [secrets], resourceNames: [hook-%[2]s], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: %[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[2]s}
subjects: [{kind: ServiceAccount, name: %[2]s, namespace: %[1]s}]
`, a.namespace, a.name))
	i.applyConfigMap(t, a.namespace, "in-"+a.name, "0")
	i.applyConfigMap(t, a.namespace, "out-"+a.name, "")
}

// attempt is a TriggerService that writes to what its ServiceAccount may patch, and to what
// only victim may.
type attempt struct {
	identity
	service string
	victim  identity
}

// yaml returns the TriggerService with the YAML of a worker; empty for the default one.
func (a attempt) yaml(worker string) string {
	text := fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %s, name: %s}
spec:
  serviceAccountName: %s
  triggers:
`, a.namespace, a.service, a.name)
	for _, target := range []struct {
		trigger string
		identity
	}{{"own", a.identity}, {"other", a.victim}} {
		text += fmt.Sprintf(`    - name: %s
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update], fieldSelector: metadata.name=in-%s}}
      action: {type: write, properties: {name: out-%s, namespace: %s, key: %s}}
      retry: {limit: 0}
`, target.trigger, a.namespace, a.name, target.name, target.namespace, a.service)
	}
	if worker != "" {
		text += "  worker: " + worker + "\n"
	}
	return text
}

// identities tests that no TriggerService does what only another one's ServiceAccount may do,
// with many of them in the workers of three namespaces, after moves between workers, and after
// crashes.
func identities(t *testing.T, i *installation) {
	var all []identity
	for range identityNamespaces {
		ns := i.Namespace(t)
		i.apply(t, strings.Replace(stampDefinition(ns, writeTemplate), "trigger-action-stamp", "trigger-action-write", 1))
		all = append(all, identity{ns, "red"}, identity{ns, "blue"})
	}
	for _, a := range all {
		i.createIdentity(t, a)
	}
	var attempts []attempt
	for n, a := range all {
		for k := range servicesPerAccount {
			// Each ServiceAccount is attacked by all others, of its namespace and of others.
			victim := all[(n+1+k%(len(all)-1))%len(all)]
			attempts = append(attempts, attempt{a, fmt.Sprintf("%s-%d", a.name, k), victim})
		}
	}
	for _, a := range attempts {
		i.apply(t, a.yaml(""))
	}
	refused := 0
	try := func(round int, workers int) {
		t.Helper()
		for _, a := range attempts {
			i.waitForReady(t, a.namespace, a.service)
		}
		pods := 0
		for n := 0; n < len(all); n += 2 {
			pods += len(i.node.Pods(all[n].namespace))
		}
		if pods != workers {
			t.Errorf("round %d: got %d workers, want %d", round, pods, workers)
		}
		value := fmt.Sprint("round-", round)
		for _, a := range all {
			i.applyConfigMap(t, a.namespace, "in-"+a.name, value)
		}
		for _, a := range attempts {
			i.waitForValue(t, a.namespace, "out-"+a.name, a.service, value)
			i.waitForRefusal(t, a, round)
			refused++
		}
		for _, a := range all {
			i.expectWriters(t, a)
		}
	}
	try(1, identityNamespaces)

	moved := map[int]bool{0: true, servicesPerAccount: true, 2*servicesPerAccount + 3: true}
	for n := range moved {
		i.apply(t, attempts[n].yaml("{template: dedicated}"))
	}
	for n := range moved {
		i.waitForWorker(t, attempts[n].namespace, "kube-trigger-"+attempts[n].service, true)
	}
	try(2, identityNamespaces+len(moved))
	for n := range moved {
		i.apply(t, attempts[n].yaml("{template: namespace}"))
	}
	for n := range moved {
		i.waitForWorker(t, attempts[n].namespace, "kube-trigger-"+attempts[n].service, false)
	}
	try(3, identityNamespaces)

	for n := 0; n < len(all); n += 2 {
		pod := i.singlePod(t, all[n].namespace)
		starts := pod.Starts()
		pod.Kill()
		cluster.Eventually(t, "restart of the worker", func(context.Context) error {
			if pod.Starts() == starts {
				return fmt.Errorf("got %d starts", starts)
			}
			return nil
		})
	}
	try(4, identityNamespaces)
	t.Logf("%d attempts of %d TriggerServices refused", refused, len(attempts))
	i.expectForeignAccountsRefused(t, all)
	i.expectSecretsRefused(t, all)
}

// waitForRefusal waits until the API server has refused the attempts of all rounds as those of
// the ServiceAccount that the TriggerService names.
func (i *installation) waitForRefusal(t *testing.T, a attempt, rounds int) {
	t.Helper()
	want := fmt.Sprintf(`configmaps "out-%s" is forbidden: User "%s" cannot patch resource "configmaps" in API group "" in the namespace "%s"`, a.victim.name, a.user(), a.victim.namespace)
	i.waitForService(t, a.namespace, a.service, func(ts *v1alpha1.TriggerService) error {
		for _, s := range ts.Status.Triggers {
			switch {
			case s.Name == "own" && s.Failed > 0:
				return fmt.Errorf("trigger own: got status %+v, want no failure", s)
			case s.Name == "other" && (s.DeadLetters < int64(rounds) || s.Succeeded > 0 || !strings.Contains(s.LastError, want)):
				return fmt.Errorf("trigger other: got status %+v, want %d dead letters with %q", s, rounds, want)
			}
		}
		return nil
	})
}

// expectWriters fails the test if a TriggerService of another ServiceAccount has written to
// what a may patch.
func (i *installation) expectWriters(t *testing.T, a identity) {
	t.Helper()
	out := &corev1.ConfigMap{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: a.namespace, Name: "out-" + a.name}, out); err != nil {
		t.Fatal(err)
	}
	if len(out.Data) != 1+servicesPerAccount { // and the key of applyConfigMap
		t.Errorf("ConfigMap %s/%s: got the keys %v, want one for each of %d TriggerServices", out.Namespace, out.Name, out.Data, servicesPerAccount)
	}
	for key := range out.Data {
		if key != "key" && !strings.HasPrefix(key, a.name+"-") {
			t.Errorf("ConfigMap %s/%s: got key %q of another ServiceAccount", out.Namespace, out.Name, key)
		}
	}
}

// expectForeignAccountsRefused tests that a TriggerService cannot name a ServiceAccount of
// another namespace, in any way.
func (i *installation) expectForeignAccountsRefused(t *testing.T, all []identity) {
	t.Helper()
	foreign := identity{all[2].namespace, "strong"}
	i.createIdentity(t, foreign)
	for _, name := range []string{foreign.namespace + "/" + foreign.name, foreign.namespace + ":" + foreign.name, foreign.user()} {
		a := attempt{identity{all[0].namespace, name}, "foreign", foreign}
		if err := cluster.Apply(t.Context(), i.admin, a.yaml("")); err == nil || !strings.Contains(err.Error(), "spec.serviceAccountName") {
			t.Errorf("ServiceAccount %q: got error %v, want one of spec.serviceAccountName", name, err)
		}
	}
	i.apply(t, attempt{identity{all[0].namespace, foreign.name}, "foreign", foreign}.yaml(""))
	i.waitForService(t, all[0].namespace, "foreign", allWaiting(v1alpha1.TriggerReasonAccountNotFound))
}

// allWaiting returns a check that all triggers wait for a reason.
func allWaiting(reason string) func(*v1alpha1.TriggerService) error {
	return func(ts *v1alpha1.TriggerService) error {
		if len(ts.Status.Triggers) == 0 {
			return fmt.Errorf("got status %+v, want triggers", ts.Status)
		}
		for _, s := range ts.Status.Triggers {
			if s.State != v1alpha1.TriggerWaiting || s.Reason != reason {
				return fmt.Errorf("trigger %s: got status %+v, want it to wait with reason %s", s.Name, s, reason)
			}
		}
		return nil
	}
}

// expectSecretsRefused tests that a webhook cannot use a Secret that only another
// ServiceAccount may read, although one TriggerService in the same worker does.
func (i *installation) expectSecretsRefused(t *testing.T, all []identity) {
	t.Helper()
	ns := all[0].namespace
	i.apply(t, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: hook-blue}\nstringData: {token: canary-of-blue}", ns))
	for _, name := range []string{"blue", "red"} {
		i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: hook-%[2]s}
spec:
  serviceAccountName: %[2]s
  triggers:
    - name: hook-%[2]s
      source: {type: webhook, properties: {auth: {type: bearer, secret: {name: hook-blue, key: token}}}}
      action: {type: log}
`, ns, name))
	}
	call := func(name string) (int, string) {
		status, body, err := i.callWebhook(t.Context(), ns, "hook-"+name, "hook-"+name, "canary-of-blue", `{}`)
		if err != nil {
			return 0, err.Error()
		}
		return status, body
	}
	cluster.Eventually(t, "webhook of the ServiceAccount that may read the Secret", func(context.Context) error {
		if status, body := call("blue"); status != http.StatusAccepted {
			return fmt.Errorf("got status %d: %s", status, body)
		}
		return nil
	})
	cluster.Eventually(t, "refusal of the Secret", func(context.Context) error {
		status, body := call("red")
		if status >= 200 && status < 300 {
			t.Fatalf("webhook of a ServiceAccount that may not read the Secret: got status %d: %s", status, body)
		}
		if status == 0 {
			return fmt.Errorf("got no answer: %s", body)
		}
		return nil
	})
	i.waitForService(t, ns, "hook-red", func(ts *v1alpha1.TriggerService) error {
		if text := fmt.Sprintf("%+v", ts.Status); !strings.Contains(text, "forbidden") || !strings.Contains(text, identity{ns, "red"}.user()) {
			return fmt.Errorf("got status %s, want the Secret to be forbidden for %s", text, identity{ns, "red"}.user())
		}
		return nil
	})
	if strings.Contains(i.node.Logs(ns), "canary-of-blue") {
		t.Error("got the value of the Secret in the logs, want none")
	}
}
