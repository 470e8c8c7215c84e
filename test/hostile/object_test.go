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
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// objectAttacks write many, large or false objects.
func objectAttacks() []attack {
	return []attack{
		{name: "many-problems", what: "230 TriggerServices of 64 KB, each with thousands of problems", run: func(ctx context.Context, t *tenant) {
			filter := strings.Repeat("context.none.x == undefined || ", 2000) + "true"
			t.begin()
			each(ctx, 230, 8, func(n int) { _ = t.idle(ctx, fmt.Sprint("x", n), trigger("x", filter, "{type: log}")) })
			t.hold(ctx)
		}},
		{name: "many-services", what: "1,000 TriggerServices in one namespace", run: func(ctx context.Context, t *tenant) {
			count := 100
			if flagValue[bool]("long") {
				count = 1000
			}
			t.begin()
			each(ctx, count, 8, func(n int) {
				_ = t.idle(ctx, fmt.Sprint("x", n), trigger("x", fmt.Sprintf("context.data.data.n == %q", fmt.Sprint(n)), "{type: log}"))
			})
			t.hold(ctx)
		}},
		{name: "many-triggers", what: "a TriggerService with 200 triggers, changed all the time", run: func(ctx context.Context, t *tenant) {
			t.repeat(ctx, func(n int) {
				var triggers strings.Builder
				for k := range 200 {
					triggers.WriteString(trigger(fmt.Sprint("t", k), fmt.Sprintf("context.data.data.n == \"%d\"", n+k), "{type: log}"))
				}
				_ = t.idle(ctx, "x", triggers.String())
			})
		}},
		{name: "churn", what: "TriggerServices created and deleted all the time", run: func(ctx context.Context, t *tenant) {
			t.repeat(ctx, func(n int) {
				name := fmt.Sprint("x", n%20)
				_ = t.idle(ctx, name, trigger("x", "", "{type: log}"))
				ts := &v1alpha1.TriggerService{}
				ts.Namespace, ts.Name = t.namespace, name
				_ = t.client.Delete(ctx, ts)
			})
		}},
		{name: "large-action", what: "an action of 900 KB that 20 TriggerServices use, changed all the time", run: func(ctx context.Context, t *tenant) {
			template := "parameter: {}\n" + strings.Repeat("x: 1\n", 180_000)
			each(ctx, 20, 4, func(n int) { _ = t.idle(ctx, fmt.Sprint("x", n), trigger("x", "", "{type: own}")) })
			t.repeat(ctx, func(n int) {
				d := &corev1alpha1.Definition{}
				d.Namespace, d.Name = t.namespace, "own"
				d.Spec.Type, d.Spec.Templates = corev1alpha1.TriggerAction, map[string]string{corev1alpha1.MainTemplate: template + fmt.Sprintf("y: %d\n", n)}
				if t.client.Create(ctx, d) != nil {
					_ = t.client.Patch(ctx, d, client.Merge)
				}
			})
		}},
		{name: "missing-kinds", what: "200 triggers on kinds that do not exist", run: func(ctx context.Context, t *tenant) {
			var triggers strings.Builder
			for n := range 200 {
				fmt.Fprintf(&triggers, "- source: {type: resource-watcher, properties: {apiVersion: example.com/v1, kind: Missing%d}}\n  action: {type: log}\n", n)
			}
			t.running(ctx, "triggers:\n"+triggers.String())
			t.hold(ctx)
		}},
		{name: "forged-accepted-version", what: "a forged object with actions that no controller has checked", run: forgeActions, check: func(ctx context.Context, t *tenant) error {
			cm := &corev1.ConfigMap{}
			if err := t.installation.admin.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: "forged"}, cm); err == nil {
				t.Error("the worker ran a forged action")
			}
			return nil
		}},
		{name: "impersonation", what: "annotations and names that ask for the rights of others", run: func(ctx context.Context, t *tenant) {
			_ = t.try(ctx, strings.Replace(serviceYAML(t.namespace, "main", "serviceAccountName: kube-trigger-controller\ntriggers:\n"+trigger("x", "", "{type: log}")),
				"name: main}", `name: main, annotations: {app.oam.dev/username: admin, app.oam.dev/group: "system:masters"}}`, 1))
			t.hold(ctx)
		}},
	}
}

// forgeActions replaces the templates that the tenant's worker has from the controller.
func forgeActions(ctx context.Context, t *tenant) {
	_ = t.definition(ctx, "own", corev1alpha1.TriggerAction, "import \"vela/builtin\"\nlog: builtin.#Message & {$params: message: \"x\"}\nparameter: {}")
	t.running(ctx, "triggers:\n"+trigger("x", "", "{type: own}"))
	t.repeat(ctx, func(n int) {
		list := &corev1alpha1.DefinitionList{}
		if t.client.List(ctx, list, client.InNamespace(t.namespace)) != nil {
			return
		}
		for _, d := range list.Items {
			if d.Spec.Type != corev1alpha1.TriggerAction {
				for key := range d.Spec.Templates {
					d.Spec.Templates[key] = "import \"vela/kube\"\nx: kube.#Apply & {$params: value: {apiVersion: \"v1\", kind: \"ConfigMap\", metadata: {name: \"forged\", namespace: \"" + t.namespace + "\"}}}\ny: " + memoryBomb + "\nparameter: {}"
				}
				_ = t.client.Update(ctx, &d)
			}
		}
		_ = t.configMap(ctx, "in", map[string]string{"n": fmt.Sprint(n)})
	})
}

// eventAttacks run valid triggers that are expensive at an event.
func eventAttacks() []attack {
	at := func(size string, triggers ...string) func(context.Context, *tenant) {
		return func(ctx context.Context, t *tenant) {
			t.running(ctx, "triggers:\n"+strings.Join(triggers, ""))
			t.repeat(ctx, func(n int) {
				_ = t.configMap(ctx, fmt.Sprint("in-", n%10), map[string]string{"size": size, "n": fmt.Sprint(n)})
			})
		}
	}
	message := func(text string) string {
		quoted, err := json.Marshal(text)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("{type: log, properties: {message: %s}}", quoted)
	}
	const size = "import (\"list\", \"strconv\", \"strings\")\nlet N = strconv.Atoi(context.data.data.size)\n"
	return []attack{
		{name: "event-filter-memory", what: "a filter that takes all memory at an event", run: at("3000000000", trigger("x", size+`strings.Contains("a"*N, "b") && len(list.Range(0,1,1)) == 1`, "{type: log}"))},
		{name: "event-filter-time", what: "a filter that never ends at an event", run: at("3000", trigger("x", size+`strings.Contains("a","a") && len([for a in list.Range(0,N,1) for b in list.Range(0,N,1) for c in list.Range(0,N,1) if a+b+c < 0 {a}]) == 0`, "{type: log}"))},
		{name: "message-range", what: "a message of 100 billion repetitions", run: at("1", trigger("x", "", message("{{range 100000000000}}x{{end}}")))},
		{name: "message-doubling", what: "a message that doubles a text 60 times", run: at("1", trigger("x", "", message(`{{$x := "aaaaaaaa"}}`+strings.Repeat(`{{$x = printf "%s%s" $x $x}}`, 60)+`{{$x}}`)))},
		{name: "message-width", what: "a message with numbers of a million digits", run: at("1", trigger("x", "", message(strings.Repeat(`{{printf "%1000000d" 1}}`, 1000))))},
		{name: "message-recursion", what: "a message that refers to itself", run: at("1", trigger("x", "", message(`{{define "x"}}{{template "x" .}}{{template "x" .}}{{end}}{{template "x" .}}`)))},
		{name: "circle", what: "triggers that start each other with ever new objects", run: func(ctx context.Context, t *tenant) {
			_ = t.definition(ctx, "spawn", corev1alpha1.TriggerAction, `import ("strings", "vela/kube")
new: kube.#Apply & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: strings.SliceRunes("in-"+context.event.id+"x", 0, 60), namespace: "`+t.namespace+`"}}}
parameter: {}`)
			t.allowConfigMaps(ctx)
			t.running(ctx, "triggers:\n"+trigger("a", "", "{type: spawn}")+trigger("b", "", "{type: spawn}"))
			t.repeat(ctx, func(n int) { _ = t.configMap(ctx, "in", map[string]string{"n": fmt.Sprint(n)}) })
		}},
		{name: "large-objects", what: "240 ConfigMaps of 900 KB behind a rate limit", run: func(ctx context.Context, t *tenant) {
			t.running(ctx, "triggers:\n"+strings.Replace(trigger("x", "", "{type: log, properties: {message: '{{.data.data.n}}'}}"), "  action:", "  rateLimit: {limit: 1, period: 10s}\n  action:", 1))
			t.begin()
			each(ctx, 240, 2, func(n int) {
				_ = t.configMap(ctx, fmt.Sprint("in-", n), map[string]string{"large": strings.Repeat("x", 900_000), "n": "0"})
			})
			t.hold(ctx)
		}},
		{name: "new-names", what: "objects with 2,000 new field names each", run: func(ctx context.Context, t *tenant) {
			t.running(ctx, "triggers:\n"+trigger("x", `context.data.data.n == "1"`, "{type: log, properties: {message: '{{len .data.data}}'}}"))
			t.repeat(ctx, func(n int) {
				data := map[string]string{"n": "1"}
				for k := range 2000 {
					data[fmt.Sprintf("k-%d-%d", n, k)] = ""
				}
				_ = t.configMap(ctx, "in", data)
			})
		}},
		{name: "dead-letters", what: "an action that fails at every event, with a message of 100 KB", run: at(strings.Repeat("x", 100_000),
			strings.Replace(trigger("x", "", `{type: patch-resource, properties: {resource: {apiVersion: v1, kind: Secret, name: none}, patch: {data: {data: {x: "y"}}}}}`), "  action:", "  retry: {limit: 0}\n  action:", 1))},
		{name: "seconds", what: "50 schedules that fire every second", run: func(ctx context.Context, t *tenant) {
			var triggers strings.Builder
			for n := range 50 {
				fmt.Fprintf(&triggers, "- name: s%d\n  source: {type: cronjob, properties: {schedule: '* * * * *'}}\n  action: {type: log}\n", n)
			}
			t.running(ctx, "triggers:\n"+triggers.String())
			t.hold(ctx)
		}},
	}
}

// allowConfigMaps lets the tenant's workers write ConfigMaps.
func (t *tenant) allowConfigMaps(ctx context.Context) {
	t.Helper()
	if err := t.installation.allowConfigMaps(ctx, t.namespace); err != nil {
		t.Error(err)
	}
}

// networkAttacks call the ports of workers.
func networkAttacks() []attack {
	const hook = "triggers:\n- name: hook\n  source: {type: webhook, properties: {auth: {type: hmac, secret: {name: hook}, header: X-Sig}}}\n  action: {type: log}\n"
	return []attack{
		{name: "unsigned-calls", what: "32 callers of a webhook without a signature, with bodies of 64 KiB", run: func(ctx context.Context, t *tenant) {
			t.withHook(ctx, hook, func(address string) {
				body := strings.Repeat("x", 64<<10)
				t.begin()
				each(ctx, 1_000_000, 32, func(int) { t.call(ctx, http.MethodPost, "http://"+address+"/"+t.namespace+"/hook", "", body) })
			})
		}},
		{name: "slow-calls", what: "500 connections to a webhook that send a byte per second", run: func(ctx context.Context, t *tenant) {
			t.withHook(ctx, hook, func(address string) { t.slowConnections(ctx, address, 500) })
		}},
		{name: "decisions", what: "reads of /debug/decisions and /metrics under other host names", run: func(ctx context.Context, t *tenant) {
			t.running(ctx, hook)
			address := t.installation.worker(t.T, t.namespace).Address(8080)
			if code := t.call(ctx, http.MethodGet, "http://"+address+"/debug/decisions", "worker.example.com", ""); code == http.StatusOK {
				t.Error("decisions are shown under another host name")
			}
			t.begin()
			each(ctx, 1_000_000, 16, func(int) { t.call(ctx, http.MethodGet, "http://"+address+"/metrics", "worker.example.com", "") })
		}},
	}
}

// withHook calls do with the address of the webhook of a running TriggerService.
func (t *tenant) withHook(ctx context.Context, spec string, do func(address string)) {
	secret := &corev1.Secret{StringData: map[string]string{"secret": "0123456789abcdef0123456789abcdef"}}
	secret.Namespace, secret.Name = t.namespace, "hook"
	if err := t.client.Create(ctx, secret); err != nil {
		t.Error(err)
		return
	}
	t.running(ctx, spec)
	if ctx.Err() == nil {
		do(t.installation.webhook(t.T, t.namespace, "main"))
	}
}

// call sends a request and returns the status code, or 0 if there is none.
func (t *tenant) call(ctx context.Context, method, url, host, body string) int {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	request.Host = host
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	t.done.Add(1)
	return response.StatusCode
}
