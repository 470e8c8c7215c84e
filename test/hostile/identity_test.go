//go:build hostile

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

package hostile

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	kubetrigger "github.com/kubevela/kube-trigger/pkg/trigger"
)

// identityAttacks try to act with rights of others: of other ServiceAccounts of the tenant's
// namespace, of workers, and of other namespaces; and to disturb a neighbor in the same worker.
func identityAttacks() []attack {
	return []attack{
		{name: "identity-worker-account", what: "TriggerServices that act as the ServiceAccount of workers", run: actAsWorker, check: workerAccountRefused},
		{name: "identity-controller-account", what: "a ServiceAccount with the name of the controller's, and one of another namespace", run: actAsController, check: notStolen},
		{name: "identity-headers", what: "requests of an action to the API server with headers that impersonate an administrator", run: impersonateByHeader, check: notStolen},
		{name: "identity-replayed-version", what: "signed versions of earlier rights, of another worker and of another TriggerService, written again", run: replayVersions, check: notStolen},
		{name: "identity-role", what: "a Role and RoleBinding of workers with more rights, by a tenant who may write RBAC", run: widenRole, check: actsAsDefaultOnly},
		{name: "identity-deployment", what: "a Deployment with the labels and the ServiceAccount of workers, for another namespace and with another key", run: deployWorker, check: neighborActs},
		{name: "identity-deleted-account", what: "a ServiceAccount deleted and created again all the time", run: deleteAccount, check: neighborActs},
		{name: "identity-port", what: "calls of the webhook of one TriggerService at the port of another one, without its secret", run: callOtherPort, check: notCalled},
		{name: "identity-state", what: "forged TriggerEvents and TriggerCheckpoints, by a tenant who may edit them", run: forgeState, check: notStolen},
		{name: "identity-token", what: "requests with the token of a worker", run: useToken, check: notStolen},
		{name: "identity-crash", what: "a filter that ends the worker of a namespace, beside another TriggerService", run: crashWorker, check: neighborActs},
		{name: "identity-flood", what: "triggers that fill queues and call the API server all the time, beside another TriggerService", run: floodWorker, check: neighborActs},
	}
}

// stealTemplate is an action that reads a Secret that only administrators may read, and writes
// it to the ConfigMap stolen. The action's own ServiceAccount may write ConfigMaps.
const stealTemplate = `import ("encoding/json", "vela/kube")
read: kube.#Read & {$params: value: {apiVersion: "v1", kind: "Secret", metadata: {name: parameter.name, namespace: parameter.namespace}}}
write: kube.#Apply & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "stolen", namespace: "$NS"}, data: value: json.Marshal(read.$returns.value)}}
parameter: {name: string, namespace: string}
`

// prize creates a Secret that the tenant's workers may not read, and an action to steal it.
func (t *tenant) prize(ctx context.Context) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "prize"}, StringData: map[string]string{"key": "canary-of-prize"}}
	if err := errors.Join(
		t.installation.admin.Create(ctx, secret),
		t.installation.allowConfigMaps(ctx, t.namespace),
		t.definition(ctx, "steal", corev1alpha1.TriggerAction, strings.ReplaceAll(stealTemplate, "$NS", t.namespace)),
	); err != nil {
		t.Error(err)
	}
}

// stealing returns the YAML of a trigger that steals a Secret.
func stealing(name, namespace, secret string) string {
	return strings.Replace(trigger(name, "", fmt.Sprintf("{type: steal, properties: {name: %s, namespace: %s}}", secret, namespace)), "  action:", "  retry: {limit: 0}\n  action:", 1)
}

// notStolen returns nil unless an action has stolen a Secret.
func notStolen(ctx context.Context, t *tenant) error {
	for _, name := range []string{"stolen", "forged"} {
		err := t.installation.admin.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: name}, &corev1.ConfigMap{})
		if err == nil {
			t.Errorf("ConfigMap %s: an action has acted with the rights of others", name)
		} else if !apierrors.IsNotFound(err) {
			return err
		}
	}
	if strings.Contains(t.installation.node.Logs(t.namespace), "canary-of-prize") {
		t.Error("the log has the value of a Secret")
	}
	return nil
}

// account creates a ServiceAccount with the rules of a Role; "[]" for no rights.
func (t *tenant) account(ctx context.Context, name, rules string) {
	if err := t.installation.apply(ctx, fmt.Sprintf(`apiVersion: v1
kind: ServiceAccount
metadata: {namespace: %[1]s, name: %[2]s}
---
%[3]s`, t.namespace, name, roleYAML(t.namespace, "of-"+name, name, rules))); err != nil {
		t.Error(err)
	}
}

// allow gives the tenant more rights.
func (t *tenant) allow(ctx context.Context, rules string) {
	if err := t.installation.apply(ctx, roleYAML(t.namespace, "more", "tenant", rules)); err != nil {
		t.Error(err)
	}
}

func roleYAML(namespace, name, account, rules string) string {
	return fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: %[1]s, name: %[2]s}
rules: %[4]s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: %[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[2]s}
subjects: [{kind: ServiceAccount, name: %[3]s, namespace: %[1]s}]
`, namespace, name, account, rules)
}

// neighbor runs another TriggerService in the tenant's worker, with a ServiceAccount of its
// own. It copies the value of the ConfigMap neighbor.
func (t *tenant) neighbor(ctx context.Context) {
	t.account(ctx, "neighbor", "[{apiGroups: [''], resources: [configmaps], resourceNames: [neighbor], verbs: [get, list, watch]}, {apiGroups: [''], resources: [configmaps], resourceNames: [out-neighbor], verbs: [patch]}]")
	const spec = `serviceAccountName: neighbor
triggers:
- name: copy
  source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: $NS, events: [update], fieldSelector: metadata.name=neighbor}}
  action: {type: copy}
`
	err := errors.Join(
		t.configMap(ctx, "neighbor", map[string]string{"n": "0"}), t.configMap(ctx, "out-neighbor", nil),
		t.definition(ctx, "copy", corev1alpha1.TriggerAction, copyTemplate),
		t.installation.apply(ctx, serviceYAML(t.namespace, "neighbor", spec)),
	)
	if err != nil {
		t.Error(err)
	}
	for ctx.Err() == nil && t.installation.ready(ctx, t.namespace, "neighbor") != nil {
		wait(ctx, 50*time.Millisecond)
	}
}

// neighborActs returns an error unless the neighbor acts on a change within maxNeighbor.
func neighborActs(ctx context.Context, t *tenant) error {
	value := fmt.Sprint("at-", time.Now().UnixNano())
	if err := t.configMap(ctx, "neighbor", map[string]string{"n": value}); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, maxNeighbor)
	defer cancel()
	for began := time.Now(); ; wait(limit, 20*time.Millisecond) {
		out := &corev1.ConfigMap{}
		err := t.installation.admin.Get(limit, client.ObjectKey{Namespace: t.namespace, Name: "out-neighbor"}, out)
		if err == nil && out.Data["n"] == value {
			t.Logf("the neighbor acted within %s", time.Since(began).Round(time.Millisecond))
			return nil
		}
		if limit.Err() != nil {
			return fmt.Errorf("the neighbor has not acted for %s: got value %q, want %q", maxNeighbor, out.Data["n"], value)
		}
	}
}

// maxNeighbor is the maximum time until a neighbor acts: that of a restart of the worker, and of
// some restarts before a culprit is known.
const maxNeighbor = 30 * time.Second

// actAsWorker tries to act as the ServiceAccount of workers.
func actAsWorker(ctx context.Context, t *tenant) {
	t.prize(ctx)
	t.running(ctx, "triggers:\n"+trigger("x", "", "{type: log}"))
	t.repeat(ctx, func(n int) {
		worker := []string{"", "worker: {template: dedicated}\n"}[n%2]
		_ = t.service(ctx, fmt.Sprint("x", n%6), worker+"serviceAccountName: kube-trigger-worker\ntriggers:\n"+stealing("x", t.namespace, "prize"))
		_ = t.configMap(ctx, "in", map[string]string{"n": fmt.Sprint(n)})
	})
}

// workerAccountRefused returns an error unless no TriggerService acts as the ServiceAccount of
// workers.
func workerAccountRefused(ctx context.Context, t *tenant) error {
	for n := range 6 {
		ts := &v1alpha1.TriggerService{}
		if err := t.installation.admin.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: fmt.Sprint("x", n)}, ts); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady); c == nil || !strings.Contains(c.Message, "reserved for workers") || ts.Status.WorkerGeneration != 0 {
			return fmt.Errorf("got status %+v, want the ServiceAccount to be refused", ts.Status)
		}
	}
	return actsAsDefaultOnly(ctx, t)
}

// actsAsDefaultOnly returns an error unless the tenant's worker may act as its default
// ServiceAccount only, and nobody else may act as that of the worker's Role.
func actsAsDefaultOnly(ctx context.Context, t *tenant) error {
	role, binding := &rbacv1.Role{}, &rbacv1.RoleBinding{}
	key := client.ObjectKey{Namespace: t.namespace, Name: controller.ImpersonateRole}
	if err := errors.Join(t.installation.admin.Get(ctx, key, role), t.installation.admin.Get(ctx, key, binding)); err != nil {
		return err
	}
	if len(role.Rules) != 1 || !slices.Equal(role.Rules[0].ResourceNames, []string{v1alpha1.DefaultServiceAccount}) || !slices.Equal(role.Rules[0].Verbs, []string{"impersonate"}) {
		return fmt.Errorf("got the rules %+v, want one to impersonate %s", role.Rules, v1alpha1.DefaultServiceAccount)
	}
	if len(binding.Subjects) != 1 || binding.Subjects[0].Name != kubetrigger.WorkerAccount {
		return fmt.Errorf("got the subjects %+v, want %s", binding.Subjects, kubetrigger.WorkerAccount)
	}
	return notStolen(ctx, t)
}

// actAsController uses a ServiceAccount that has only the name of the controller's, and asks
// for those of other namespaces.
func actAsController(ctx context.Context, t *tenant) {
	t.prize(ctx)
	t.account(ctx, "kube-trigger-controller", "[{apiGroups: [''], resources: [configmaps], verbs: [get, list, watch, create, patch]}]")
	t.running(ctx, "serviceAccountName: kube-trigger-controller\ntriggers:\n"+stealing("key", "vela-system", "kube-trigger-signing-key")+stealing("prize", t.namespace, "prize"))
	t.repeat(ctx, func(n int) {
		for _, account := range []string{"vela-system/kube-trigger-controller", "vela-system:kube-trigger-controller", "system:serviceaccount:vela-system:kube-trigger-controller"} {
			if err := t.service(ctx, "x", fmt.Sprintf("serviceAccountName: %q\ntriggers:\n%s", account, stealing("x", t.namespace, "prize"))); err == nil {
				t.Errorf("ServiceAccount %q of a TriggerService: got no error", account)
			}
		}
		if t.configMap(ctx, "in", map[string]string{"n": fmt.Sprint(n)}) == nil {
			t.done.Add(1)
		}
	})
}

// impersonateByHeader sends requests to the API server that impersonate an administrator.
func impersonateByHeader(ctx context.Context, t *tenant) {
	t.prize(ctx)
	if err := t.definition(ctx, "call", corev1alpha1.TriggerAction, fmt.Sprintf(`import "vela/http"
call: http.#HTTPDo & {$params: {method: "POST", url: "%s/api/v1/namespaces/%s/configmaps", request: {
	header: {"Impersonate-User": "admin", "Impersonate-Group": "system:masters", "Content-Type": "application/json", Authorization: "Bearer x"}
	body: "{\"metadata\": {\"name\": \"stolen\"}}"
}}}
parameter: {}
`, t.installation.Config.Host, t.namespace)); err != nil {
		t.Error(err)
	}
	t.running(ctx, "triggers:\n"+strings.Replace(trigger("x", "", "{type: call}"), "  action:", "  retry: {limit: 0}\n  action:", 1))
	t.repeat(ctx, func(n int) {
		if t.configMap(ctx, "in", map[string]string{"n": fmt.Sprint(n)}) == nil {
			t.done.Add(1)
		}
	})
}

// replayVersions writes signed versions of TriggerServices again: an earlier one with a
// ServiceAccount of more rights, one for another worker, and that of another TriggerService.
func replayVersions(ctx context.Context, t *tenant) {
	t.prize(ctx)
	const all = "[{apiGroups: [''], resources: [configmaps, secrets], verbs: [get, list, watch, create, patch]}]"
	t.account(ctx, "strong", all)
	t.account(ctx, "weak", strings.Replace(all, ", secrets", "", 1))
	// Filters keep the strong version from stealing while it is allowed to.
	spec := func(account string) string {
		return "serviceAccountName: " + account + "\ntriggers:\n" + strings.Replace(stealing("x", t.namespace, "prize"), "  action:", "  filter: 'context.data.data.n == \"armed\"'\n  action:", 1)
	}
	versions := map[string]map[string]string{}
	for _, version := range []struct{ name, spec string }{
		{"dedicated", "worker: {template: dedicated}\n" + spec("strong")}, {"strong", spec("strong")}, {"weak", spec("weak")},
	} {
		t.running(ctx, version.spec)
		d := &corev1alpha1.Definition{}
		if err := t.client.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "kube-trigger-main"}, d); err != nil {
			t.Error(err)
		}
		versions[version.name] = d.Spec.Templates
	}
	if err := t.service(ctx, "other", spec("weak")); err != nil {
		t.Error(err)
	}
	// The right to act as strong ends a moment later than its use.
	for ctx.Err() == nil {
		role := &rbacv1.Role{}
		err := t.installation.admin.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: controller.ImpersonateRole}, role)
		if err == nil && len(role.Rules) == 1 && slices.Equal(role.Rules[0].ResourceNames, []string{"weak"}) {
			break
		}
		wait(ctx, 50*time.Millisecond)
	}
	t.repeat(ctx, func(n int) {
		version := versions[[]string{"dedicated", "strong"}[n%2]]
		for _, name := range []string{"kube-trigger-main", "kube-trigger-other"} {
			d := &corev1alpha1.Definition{}
			if t.client.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: name}, d) != nil {
				continue
			}
			d.Spec.Templates = version
			if t.client.Update(ctx, d) == nil {
				t.done.Add(1)
			}
		}
		if n%50 == 10 { // a new process knows no earlier version
			t.installation.worker(t.T, t.namespace).Kill()
		}
		_ = t.configMap(ctx, "in", map[string]string{"n": "armed", "k": fmt.Sprint(n)})
	})
}

// widenRole gives the tenant's worker the right to act as all ServiceAccounts, and the tenant
// that of the worker, until the controller repairs it.
func widenRole(ctx context.Context, t *tenant) {
	t.prize(ctx)
	t.allow(ctx, `[{apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], verbs: ["*"]}]`)
	t.running(ctx, "triggers:\n"+stealing("x", t.namespace, "prize"))
	t.begin()
	each(ctx, 100, 1, func(n int) {
		role, binding := &rbacv1.Role{}, &rbacv1.RoleBinding{}
		role.Namespace, role.Name = t.namespace, controller.ImpersonateRole
		binding.Namespace, binding.Name = t.namespace, controller.ImpersonateRole
		rules := fmt.Sprintf(`{"rules": [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"], "resourceNames": ["kube-trigger", "default", "x%d"]}]}`, n)
		if t.client.Patch(ctx, role, client.RawPatch(types.MergePatchType, []byte(rules))) == nil {
			t.done.Add(1)
		}
		subjects := fmt.Sprintf(`{"subjects": [{"kind": "ServiceAccount", "name": "tenant", "namespace": %q}]}`, t.namespace)
		_ = t.client.Patch(ctx, binding, client.RawPatch(types.MergePatchType, []byte(subjects)))
		if n%10 == 0 {
			_ = t.client.Delete(ctx, role)
			_ = t.client.Delete(ctx, binding)
		}
		_ = t.configMap(ctx, "in", map[string]string{"n": fmt.Sprint(n)})
	})
	<-ctx.Done()
}

// deployWorker runs a worker of the tenant's own: with the ServiceAccount and the labels of
// that of the namespace, for another namespace and with the tenant's key.
func deployWorker(ctx context.Context, t *tenant) {
	t.neighbor(ctx)
	t.allow(ctx, `[{apiGroups: [apps], resources: [deployments], verbs: ["*"]}]`)
	const text = `apiVersion: apps/v1
kind: Deployment
metadata: {namespace: $NS, name: $NAME, labels: &labels {app.kubernetes.io/managed-by: kube-trigger-controller, app.kubernetes.io/name: kube-trigger, app.kubernetes.io/component: worker, trigger.oam.dev/worker: namespace, own: $NAME}}
spec:
  selector: {matchLabels: {own: $NAME}}
  template:
    metadata: {labels: *labels}
    spec:
      serviceAccountName: kube-trigger-worker
      containers:
      - name: kube-trigger
        image: x
        args: [run, "--worker-namespace=$TARGET", "--controller-key=$KEY", "--metrics-addr=:8080", "--webhook-addr=:8090"]
        resources: {limits: {memory: 128Mi, cpu: 100m}}
`
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Error(err)
		return
	}
	t.begin()
	for name, target := range map[string]string{"kube-trigger-own": t.namespace, "kube-trigger-evil": t.installation.honest} {
		if err := t.try(ctx, strings.NewReplacer("$NS", t.namespace, "$NAME", name, "$TARGET", target, "$KEY", acceptance.FormatKey(key)).Replace(text)); err != nil {
			t.Error(err)
		}
	}
	<-ctx.Done()
	for _, name := range []string{"kube-trigger-own", "kube-trigger-evil"} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: name}}
		if err := t.installation.admin.Delete(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
}

// deleteAccount deletes and creates the ServiceAccount of the neighbor all the time.
func deleteAccount(ctx context.Context, t *tenant) {
	t.neighbor(ctx)
	t.allow(ctx, "[{apiGroups: [''], resources: [serviceaccounts], verbs: [get, create, delete]}]")
	t.begin()
	for n := 0; n < 50 && ctx.Err() == nil; n++ {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "neighbor"}}
		if t.client.Delete(ctx, account) == nil {
			t.done.Add(1)
		}
		_ = t.configMap(ctx, "neighbor", map[string]string{"n": fmt.Sprint("deleted-", n)})
		wait(ctx, time.Duration(n%7)*20*time.Millisecond)
		if err := t.client.Create(context.WithoutCancel(ctx), &corev1.ServiceAccount{ObjectMeta: account.ObjectMeta}); err != nil {
			t.Logf("create the ServiceAccount: %v", err)
		}
		wait(ctx, time.Duration(n%5)*20*time.Millisecond)
	}
	<-ctx.Done()
}

// callOtherPort calls a webhook that wants a secret at the port of one that wants none.
func callOtherPort(ctx context.Context, t *tenant) {
	const hook = "triggers:\n- name: %s\n  source: {type: webhook, properties: {auth: %s}}\n  action: {type: mark, properties: {name: %s}}\n"
	t.allowConfigMaps(ctx)
	err := errors.Join(
		t.definition(ctx, "mark", corev1alpha1.TriggerAction, fmt.Sprintf(`import "vela/kube"
mark: kube.#Apply & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: parameter.name, namespace: %q}}}
parameter: name: string
`, t.namespace)),
		t.service(ctx, "closed", fmt.Sprintf(hook, "closed", "{type: bearer, secret: {name: hook}}", "stolen")),
	)
	if err != nil {
		t.Error(err)
	}
	t.withHook(ctx, fmt.Sprintf(hook, "open", "none", "called"), func(address string) {
		closed := t.installation.webhook(t.T, t.namespace, "closed")
		if closed == address {
			t.Errorf("two TriggerServices have the same address %s", address)
		}
		t.repeat(ctx, func(n int) {
			for _, url := range []string{
				address + "/" + t.namespace + "/closed", address + "/" + t.namespace + "/open/../closed", address + "//" + t.namespace + "/closed",
				address + "/" + t.namespace + "/%63losed", closed + "/" + t.namespace + "/closed", closed + "/" + t.namespace + "/open",
			} {
				if code := t.call(ctx, http.MethodPost, "http://"+url, "closed."+t.namespace, "{}"); code >= 200 && code < 300 {
					t.Errorf("POST %s: got status %d, want a refusal", url, code)
				}
			}
			t.call(ctx, http.MethodPost, "http://"+address+"/"+t.namespace+"/open", "", fmt.Sprintf(`{"n": %d}`, n))
		})
	})
}

// notCalled returns an error unless the webhook without a secret was called, and the other one
// was not.
func notCalled(ctx context.Context, t *tenant) error {
	if err := t.installation.admin.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "called"}, &corev1.ConfigMap{}); err != nil {
		return err
	}
	return notStolen(ctx, t)
}

// forgeState forges a call of a webhook in the queue of a TriggerService, a dead letter to be
// replayed, and what its worker remembers of its watches.
func forgeState(ctx context.Context, t *tenant) {
	t.allow(ctx, "[{apiGroups: [standard.oam.dev], resources: [triggerevents, triggercheckpoints], verbs: ['*']}]")
	t.allowConfigMaps(ctx)
	if err := t.definition(ctx, "mark", corev1alpha1.TriggerAction, fmt.Sprintf(`import "vela/kube"
mark: kube.#Apply & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "forged", namespace: %q}}}
parameter: {}
`, t.namespace)); err != nil {
		t.Error(err)
	}
	const spec = `triggers:
- name: hook
  source: {type: webhook, properties: {auth: {type: bearer, secret: {name: hook}}}}
  action: {type: mark}
- name: watch
  source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: $NS, events: [delete]}}
  filter: context.data.metadata.name == "in"
  action: {type: mark}
`
	t.withHook(ctx, spec, func(string) {
		t.repeat(ctx, func(n int) {
			t.done.Add(1)
			for record, field := range map[string]string{"queue": "", "dead-letter": ", trigger.oam.dev/replay: requested"} {
				err := t.try(ctx, fmt.Sprintf(`apiVersion: standard.oam.dev/v1alpha1
kind: TriggerEvent
metadata: {namespace: %[1]s, name: main-%[2]s-%[3]d, labels: {trigger.oam.dev/store: main, trigger.oam.dev/record: %[2]s%[4]s}}
spec: {trigger: hook, event: {source: webhook, id: "%[3]d", type: call, data: {body: {}}}}
`, t.namespace, record, n, field))
				if err == nil {
					t.Errorf("a forged TriggerEvent of the record %s was created", record)
				}
			}
			var checkpoints v1alpha1.TriggerCheckpointList
			if t.client.List(ctx, &checkpoints, client.InNamespace(t.namespace)) != nil {
				return
			}
			for i := range checkpoints.Items {
				c := &checkpoints.Items[i]
				if err := t.client.Patch(ctx, c, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {"cursor": "%d"}}`, n))); err == nil {
					t.Errorf("TriggerCheckpoint %s was forged", c.Name)
				}
				c = c.DeepCopy()
				c.ObjectMeta = metav1.ObjectMeta{Namespace: t.namespace, Name: fmt.Sprint(c.Name, "-", n), Labels: c.Labels}
				if err := t.client.Create(ctx, c); err == nil {
					t.Errorf("a forged TriggerCheckpoint %s was created", c.Name)
				}
			}
		})
	})
}

// useToken uses the token of the tenant's worker as somebody who has taken over its process.
func useToken(ctx context.Context, t *tenant) {
	t.prize(ctx)
	t.running(ctx, "triggers:\n"+trigger("x", "", "{type: log}"))
	token, err := t.installation.Client(t.T).CoreV1().ServiceAccounts(t.namespace).CreateToken(
		ctx, kubetrigger.WorkerAccount, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	worker := func(as rest.ImpersonationConfig) client.Client {
		config := rest.AnonymousClientConfig(t.installation.Config)
		config.BearerToken, config.Impersonate = token.Status.Token, as
		c, err := client.New(config, client.Options{Scheme: t.installation.admin.Scheme(), Mapper: t.installation.admin.RESTMapper()})
		if err != nil {
			t.Error(err)
		}
		return c
	}
	own := kubetrigger.UserName(t.namespace, v1alpha1.DefaultServiceAccount)
	t.repeat(ctx, func(n int) {
		for _, as := range []rest.ImpersonationConfig{
			{}, {UserName: own},
			{UserName: "admin", Groups: []string{"system:masters"}}, {UserName: own, Groups: []string{"system:masters"}}, {UserName: own, UID: "x"},
			{UserName: kubetrigger.UserName(t.namespace, "tenant")}, {UserName: kubetrigger.UserName(t.namespace, "default")},
			{UserName: kubetrigger.UserName(t.installation.honest, v1alpha1.DefaultServiceAccount)},
			{UserName: kubetrigger.UserName(t.installation.honest, kubetrigger.WorkerAccount)},
			{UserName: kubetrigger.UserName("vela-system", "kube-trigger-controller")},
		} {
			for what, err := range forbiddenRequests(ctx, t, worker(as), n) {
				if !apierrors.IsForbidden(err) && ctx.Err() == nil {
					t.Errorf("%s with the token of the worker, as %+v: got error %v, want it to be forbidden", what, as, err)
				}
			}
			t.done.Add(1)
		}
	})
}

// forbiddenRequests sends requests that neither a worker nor its triggers may send, and returns
// their errors.
func forbiddenRequests(ctx context.Context, t *tenant, c client.Client, n int) map[string]error {
	metadata := func(namespace string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("token-", n)}
	}
	pod := corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "x"}}}
	return map[string]error{
		"get a Secret":            c.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "prize"}, &corev1.Secret{}),
		"list Secrets":            c.List(ctx, &corev1.SecretList{}, client.InNamespace(t.namespace)),
		"create a Pod":            c.Create(ctx, &corev1.Pod{ObjectMeta: metadata(t.namespace), Spec: pod}),
		"create a ServiceAccount": c.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metadata(t.namespace)}),
		"create a Role":           c.Create(ctx, &rbacv1.Role{ObjectMeta: metadata(t.namespace)}),
		"create a RoleBinding": c.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metadata(t.namespace), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		}),
		"create a TriggerService":         c.Create(ctx, &v1alpha1.TriggerService{ObjectMeta: metadata(t.namespace)}),
		"create a Definition":             c.Create(ctx, &corev1alpha1.Definition{ObjectMeta: metadata(t.namespace)}),
		"list TriggerServices elsewhere":  c.List(ctx, &v1alpha1.TriggerServiceList{}, client.InNamespace(t.installation.honest)),
		"list ConfigMaps elsewhere":       c.List(ctx, &corev1.ConfigMapList{}, client.InNamespace(t.installation.honest)),
		"create a TriggerEvent elsewhere": c.Create(ctx, &v1alpha1.TriggerEvent{ObjectMeta: metadata(t.installation.honest)}),
		"list Namespaces":                 c.List(ctx, &corev1.NamespaceList{}),
	}
}

// crashWorker runs a filter that ends the worker that a neighbor shares.
func crashWorker(ctx context.Context, t *tenant) {
	t.neighbor(ctx)
	const size = "import (\"list\", \"strconv\", \"strings\")\nlet N = strconv.Atoi(context.data.data.size)\n"
	t.running(ctx, "triggers:\n"+trigger("x", size+`strings.Contains("a"*N, "b") && len(list.Range(0,1,1)) == 1`, "{type: log}"))
	t.repeat(ctx, func(n int) {
		if t.configMap(ctx, fmt.Sprint("in-", n%10), map[string]string{"size": "3000000000", "n": fmt.Sprint(n)}) == nil {
			t.done.Add(1)
		}
	})
}

// floodWorker runs triggers that list all ConfigMaps at each event, or fail and are tried again
// all the time, in the worker that a neighbor shares.
func floodWorker(ctx context.Context, t *tenant) {
	t.neighbor(ctx)
	t.allowConfigMaps(ctx)
	if err := t.definition(ctx, "loop", corev1alpha1.TriggerAction, fmt.Sprintf(`import ("strconv", "vela/kube")
for n in [for k in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19] {k}] {
	"read-\(n)": kube.#List & {$params: {resource: {apiVersion: "v1", kind: "ConfigMap"}, filter: namespace: %q}}
}
parameter: {}
`, t.namespace)); err != nil {
		t.Error(err)
	}
	var triggers strings.Builder
	for n := range 10 {
		triggers.WriteString(trigger(fmt.Sprint("loop-", n), "", "{type: loop}"))
		triggers.WriteString(strings.Replace(trigger(fmt.Sprint("fail-", n), "", `{type: patch-resource, properties: {resource: {apiVersion: v1, kind: Secret, name: none}, patch: {data: {data: {x: "y"}}}}}`),
			"  action:", "  retry: {limit: 20, backoff: {initial: 1ms, max: 10ms}}\n  action:", 1))
	}
	t.running(ctx, "triggers:\n"+triggers.String())
	large := strings.Repeat("x", 100_000)
	t.repeat(ctx, func(n int) {
		if t.configMap(ctx, fmt.Sprint("in-", n%200), map[string]string{"large": large, "n": fmt.Sprint(n)}) == nil {
			t.done.Add(1)
		}
	})
}
