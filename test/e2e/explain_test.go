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
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// kubeconfig writes a kubeconfig with the token of cfg, and returns its path.
func kubeconfig(t *testing.T, cfg *rest.Config, namespace string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: cfg.Host, CertificateAuthorityData: cfg.CAData, CertificateAuthority: cfg.CAFile}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"user": {Token: cfg.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "user", Namespace: namespace}},
		CurrentContext: "test",
	}, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// command runs kube-trigger with a kubeconfig, and returns its output.
func command(ctx context.Context, kubeconfig string, args ...string) (string, error) {
	program, err := build()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, program, append(args, "--kubeconfig", kubeconfig)...).CombinedOutput() //nolint:gosec // own program
	if err != nil {
		err = fmt.Errorf("kube-trigger %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// readerRules are the rights of a user who explains triggers.
func readerRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{"standard.oam.dev"}, Resources: []string{"triggerservices"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"pods", "configmaps"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create"}},
	}
}

// situation is a trigger that does not act, or keeps failing, and what `explain` says about the
// ConfigMap of the same name.
type situation struct {
	// source is added to the properties that select the ConfigMap, policy to the trigger.
	source, filter, policy string
	// action is that of the trigger; by default it patches ConfigMap out.
	action string
	// updates are the values that the ConfigMap gets.
	updates []string
	want    []string
}

func situations(ns, other string) map[string]situation {
	patch := func(kind, name string) string {
		return fmt.Sprintf(`{type: patch-resource, properties: {resource: {apiVersion: v1, kind: %s, name: %s, namespace: %s}, patch: {type: merge, data: {metadata: {annotations: {seen: "1"}}}}}}`, kind, name, ns)
	}
	once := []string{"off"}
	const later = "retry: {backoff: {initial: 1h, max: 1h}}"
	return map[string]situation{
		"filter-false": {filter: `context.data.data.key == "on"`, updates: once, want: []string{
			`filtered: context.data.data.key`, `now: context.data.data.key = "off"`,
		}},
		"field-absent": {filter: `context.data.data.mode == "on"`, updates: once, want: []string{
			"filtered: context.data.data.mode is absent", "now: context.data.data.mode = absent",
		}},
		"wrong-namespace": {source: "namespace: " + other, updates: once, want: []string{
			fmt.Sprintf("no decision: OtherNamespace: the trigger watches namespace %s, and ConfigMap %s/wrong-namespace is in namespace %s", other, ns, ns),
		}},
		"event-type": {source: "events: [delete]", updates: once, want: []string{
			"no decision: NotSubscribed: ConfigMap " + ns + "/event-type exists, so its changes are update events, and the trigger does not ask for create and update events",
		}},
		"watch-denied": {source: "kind: Secret", updates: once, want: []string{
			": Waiting", "Forbidden: ", "secrets",
		}},
		"write-denied": {action: patch("Secret", "out"), policy: later, updates: once, want: []string{
			"failed: the action failed (ActionFailed): ", "Forbidden (403): cannot patch secrets", "last error", `cannot patch resource "secrets"`,
		}},
		"kind-missing": {source: "apiVersion: example.org/v1, kind: Thing", updates: once, want: []string{
			": Waiting", "KindNotFound: ",
		}},
		"own-write": {action: patch("ConfigMap", "own-write"), updates: once, want: []string{
			"suppressed: the trigger's own action caused it (OwnWrite)", "succeeded",
		}},
		"debounced": {policy: "debounce: 3s", updates: []string{"1", "2"}, want: []string{
			"suppressed: a later event of the object stands for it (Debounced)",
		}},
		"rate-limited": {policy: "rateLimit: {limit: 1, period: 1h}", updates: []string{"1", "2"}, want: []string{
			"queued: it waits until the trigger's rate limit lets the action run (RateLimited)", "succeeded",
		}},
		"failing": {action: patch("ConfigMap", "nothing"), policy: later, updates: once, want: []string{
			"failed: the action failed (ActionFailed): ", "NotFound (404)", "attempt 1, the next one after", `last error`, `"nothing" not found`,
		}},
		"suspended": {policy: "suspend: true", updates: once, want: []string{
			": Suspended", "Suspended: the trigger is suspended",
		}},
		"circle": {
			policy: "allowSelfTrigger: true", updates: once, want: []string{
				"dead-lettered: the trigger's own actions keep leading back to it (LoopBroken)",
			},
			action: fmt.Sprintf(`{type: patch-resource, cue: "patch: data: metadata: annotations: turn: context.event.id", properties: {resource: {apiVersion: v1, kind: ConfigMap, name: circle, namespace: %s}, patch: {type: merge}}}`, ns),
		},
	}
}

// trigger returns the YAML of the situation's trigger.
func (s situation) trigger(ns, name string) string {
	properties := map[string]string{}
	for _, all := range []string{"apiVersion: v1, kind: ConfigMap, events: [update], fieldSelector: metadata.name=" + name, "namespace: " + ns, s.source} {
		for _, p := range strings.Split(all, ", ") {
			if key, value, ok := strings.Cut(p, ": "); ok {
				properties[key] = value
			}
		}
	}
	var source []string
	for key, value := range properties {
		source = append(source, key+": "+value)
	}
	action := s.action
	if action == "" {
		action = fmt.Sprintf(`{type: patch-resource, properties: {resource: {apiVersion: v1, kind: ConfigMap, name: out, namespace: %s}, patch: {type: merge, data: {data: {%s: "1"}}}}}`, ns, name)
	}
	text := fmt.Sprintf("    - name: %s\n      source: {type: resource-watcher, properties: {%s}}\n      action: %s\n", name, strings.Join(source, ", "), action)
	if s.filter != "" {
		text += fmt.Sprintf("      filter: '%s'\n", s.filter)
	}
	if s.policy != "" {
		text += "      " + s.policy + "\n"
	}
	return text
}

// explains tests that `kube-trigger explain` gives the true reason in fourteen situations, by a
// user who may only read and forward ports.
func explains(t *testing.T, i *installation) {
	ns, other := i.Namespace(t), i.Namespace(t)
	i.allowConfigMaps(t, ns)
	i.apply(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %s, name: other}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kube-trigger-default}
subjects: [{kind: ServiceAccount, name: kube-trigger, namespace: %s}]
`, other, ns))
	all := situations(ns, other)
	text := fmt.Sprintf("apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerService\nmetadata: {namespace: %s, name: main}\nspec:\n  triggers:\n", ns)
	i.applyConfigMap(t, ns, "out", "0")
	for name, s := range all {
		i.applyConfigMap(t, ns, name, "0")
		text += s.trigger(ns, name)
	}
	i.apply(t, text)
	// An evaluation that does not end takes a CPU, so that this worker is another one.
	i.applyConfigMap(t, ns, "quarantined", "1")
	i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: bomb}
spec:
  worker: {template: dedicated}
  triggers:
    - name: quarantined
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update], fieldSelector: metadata.name=quarantined}}
      filter: |
        import ("list", "strconv")
        let N = list.Range(0, strconv.Atoi(context.data.data.key), 1)
        len([for a in N for b in N for c in N if a+b+c < 0 {a}]) == 0
      action: {type: log, properties: {message: unreachable}}
`, ns))
	i.waitForReady(t, ns, "bomb")
	waiting := map[string]string{"watch-denied": v1alpha1.TriggerReasonForbidden, "kind-missing": v1alpha1.TriggerReasonKindNotFound}
	i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		if len(ts.Status.Triggers) != len(all) {
			return fmt.Errorf("got status %+v, want %d triggers", ts.Status, len(all))
		}
		for _, s := range ts.Status.Triggers {
			if s.Reason != waiting[s.Name] {
				return fmt.Errorf("trigger %s: got reason %q, want %q", s.Name, s.Reason, waiting[s.Name])
			}
		}
		return nil
	})
	i.node.ForwardPorts(t, ns)
	user := kubeconfig(t, i.ServiceAccount(t, ns, "alice", readerRules()...), ns)
	for name, s := range all {
		for _, value := range s.updates {
			i.applyConfigMap(t, ns, name, value)
		}
	}
	i.applyConfigMap(t, ns, "quarantined", "3000")
	all["quarantined"] = situation{want: []string{": Quarantined", "Quarantined: filter evaluation does not terminate"}}
	t.Run("Rights", func(t *testing.T) {
		for _, c := range []struct {
			name, want string
			rules      []rbacv1.PolicyRule
		}{
			{"bob", "gave no answer: port-forward to pod " + ns, readerRules()[:2]},
			{"carol", "now: context.data.data.key = not shown, as you may not get this ConfigMap", []rbacv1.PolicyRule{
				readerRules()[0], readerRules()[2], {APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
			}},
			{"dave", "workers not asked: list the pods of workers: ", readerRules()[:1]},
		} {
			config := kubeconfig(t, i.ServiceAccount(t, ns, c.name, c.rules...), ns)
			cluster.Eventually(t, "explanation for "+c.name, func(ctx context.Context) error {
				got, err := command(ctx, config, "explain", "main", "filter-false")
				if err == nil && !strings.Contains(got, c.want) {
					err = fmt.Errorf("got %s\nwant %q", got, c.want)
				}
				return err
			})
		}
	})
	t.Run("Get", func(t *testing.T) { gets(t, ns, user) })
	t.Run("Top", func(t *testing.T) { tops(t, ns, user) })
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			service := "main"
			if name == "quarantined" {
				service = "bomb"
			}
			last := ""
			cluster.Eventually(t, "explanation of "+name, func(ctx context.Context) (err error) {
				if last, err = command(ctx, user, "explain", service, name, "--object", "configmap/"+name); err != nil {
					return err
				}
				for _, want := range s.want {
					if !strings.Contains(last, want) {
						return fmt.Errorf("got %s\nwant %q", last, want)
					}
				}
				return nil
			})
			t.Log(last)
			if strings.Contains(last, "gave no answer") {
				t.Errorf("got %s, want an answer of each worker", last)
			}
		})
	}
}
