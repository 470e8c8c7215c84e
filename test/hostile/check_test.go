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
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
)

const (
	// memoryBomb and timeBomb are CUE expressions that take all memory and all time.
	memoryBomb = `"a"*3000000000`
	timeBomb   = `len([for a in list.Range(0, 100000, 1) for b in list.Range(0, 100000, 1) {a}])`
	// longQuantity takes minutes to parse.
	longQuantity = "1.000000000000000000000000000000e2147483600"
)

// admissionAttacks send requests to the port of the validating webhook, as anybody on the
// network of the pods can.
func admissionAttacks() []attack {
	review := func(kind, text string) []byte {
		return fmt.Appendf(nil, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"x","kind":{"group":%q,"version":"v1alpha1","kind":%q},"name":"x","namespace":"vela-system","operation":"CREATE","userInfo":{"username":"nobody"},"object":%s}}`,
			map[string]string{"Definition": "core.oam.dev", "TriggerService": "standard.oam.dev"}[kind], kind, text)
	}
	worker := func(template string) []byte {
		d := corev1alpha1.Definition{}
		d.Name, d.Namespace, d.Kind, d.APIVersion = "x", "vela-system", "Definition", "core.oam.dev/v1alpha1"
		d.Spec.Type, d.Spec.Templates = corev1alpha1.TriggerWorker, map[string]string{corev1alpha1.MainTemplate: template}
		text, err := json.Marshal(d)
		if err != nil {
			text = []byte(err.Error())
		}
		return review("Definition", string(text))
	}
	flood := func(callers int, body []byte) func(context.Context, *tenant) {
		return func(ctx context.Context, t *tenant) { t.flood(ctx, callers, body) }
	}
	return []attack{
		{name: "admission-template-memory", what: "unauthenticated reviews of a worker template that takes all memory", run: flood(8, worker("deployment: metadata: name: "+memoryBomb+"\nparameter: {}"))},
		{name: "admission-template-time", what: "unauthenticated reviews of a worker template that never ends", run: flood(32, worker("import \"list\"\ndeployment: spec: replicas: "+timeBomb+"\nparameter: {}"))},
		{name: "admission-template-recursion", what: "unauthenticated reviews of a worker template that refers to itself", run: flood(8, worker("#f: {x: int, y: (#f & {x: x+1}).y}\ndeployment: metadata: name: (#f & {x: 1}).y\nparameter: {}"))},
		{name: "admission-quantity", what: "unauthenticated reviews of a quantity that takes minutes to parse", run: flood(32, worker(`deployment: spec: template: spec: containers: [{name: "x", resources: limits: memory: "`+longQuantity+"\"}]\nparameter: {}"))},
		{name: "admission-filters", what: "unauthenticated reviews of TriggerServices with 200 slow filters", run: flood(16, review("TriggerService", slowService(200)))},
		{name: "admission-large", what: "64 callers with reviews of 6 MiB at once", run: flood(64, review("Definition", `{"spec":{"type":"trigger-action","templates":{"main.cue":"`+strings.Repeat("x: 1\\n", 1<<20)+`"}}}`))},
		{name: "admission-nested", what: "reviews nested 100,000 deep", run: flood(16, review("TriggerService", strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}", 100_000)))},
		{name: "admission-slow", what: "500 connections that send a byte per second", run: func(ctx context.Context, t *tenant) {
			t.slowConnections(ctx, t.installation.controllerPod(t.T).Address(9443), 500)
		}},
	}
}

// slowService returns a TriggerService with n filters that take all time, as JSON.
func slowService(n int) string {
	var triggers []string
	for k := range n {
		filter, err := json.Marshal("import \"list\"\n" + timeBomb + fmt.Sprintf(" == context.data.x%d", k))
		if err != nil {
			return err.Error()
		}
		triggers = append(triggers, fmt.Sprintf(`{"source":{"type":"resource-watcher","properties":{"apiVersion":"v1","kind":"ConfigMap"}},"filter":%s,"action":{"type":"log"}}`, filter))
	}
	return fmt.Sprintf(`{"apiVersion":"standard.oam.dev/v1alpha1","kind":"TriggerService","metadata":{"name":"x","namespace":"x"},"spec":{"triggers":[%s]}}`, strings.Join(triggers, ","))
}

// flood posts body to the validating webhook until ctx ends.
func (t *tenant) flood(ctx context.Context, callers int, body []byte) {
	t.Helper()
	address := t.installation.controllerPod(t.T).Address(9443)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxConnsPerHost: callers}} //nolint:gosec // as an attacker
	defer c.CloseIdleConnections()
	t.begin()
	each(ctx, 1_000_000, callers, func(int) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+"/?timeout=10s", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		t.done.Add(1)
		response, err := c.Do(request)
		if err != nil {
			wait(ctx, 10*time.Millisecond)
			return
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	})
}

// slowConnections keeps n connections to address that send a request slowly.
func (t *tenant) slowConnections(ctx context.Context, address string, n int) {
	t.begin()
	each(ctx, n*1000, n, func(int) {
		dialer := net.Dialer{Timeout: time.Second}
		c, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			wait(ctx, 100*time.Millisecond)
			return
		}
		defer c.Close()
		t.done.Add(1)
		for _, b := range []byte("POST / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 1000)) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			wait(ctx, time.Second)
			if ctx.Err() != nil {
				return
			}
		}
	})
}

// checkAttacks write TriggerServices and Definitions that are expensive to check.
func checkAttacks() []attack {
	filter := func(text string) func(context.Context, *tenant) {
		return func(ctx context.Context, t *tenant) {
			t.repeat(ctx, func(n int) { _ = t.idle(ctx, fmt.Sprint("x", n%50), trigger("x", fmt.Sprintf(text, n), "{type: log}")) })
		}
	}
	action := func(template string) func(context.Context, *tenant) {
		return func(ctx context.Context, t *tenant) {
			_ = t.definition(ctx, "own", corev1alpha1.TriggerAction, template)
			t.repeat(ctx, func(n int) {
				_ = t.idle(ctx, fmt.Sprint("x", n%50), trigger("x", "", fmt.Sprintf("{type: own, properties: {n: %d}}", n)))
			})
		}
	}
	worker := func(properties string) func(context.Context, *tenant) {
		return func(ctx context.Context, t *tenant) {
			t.repeat(ctx, func(n int) {
				_ = t.service(ctx, fmt.Sprint("x", n%50), fmt.Sprintf("worker: {properties: %s}\ntriggers:\n%s", properties, trigger(fmt.Sprint("x", n), "", "{type: log}")))
			})
		}
	}
	return []attack{
		{name: "filter-memory", what: "filters that take all memory", run: filter(memoryBomb + ` == context.data.x%d`)},
		{name: "filter-time", what: "filters that never end", run: filter("import \"list\"\n" + timeBomb + ` == context.data.x%d`)},
		{name: "filter-recursion", what: "filters that refer to themselves", run: filter("let x = {y: x.y + 1}\nx.y == context.data.x%d")},
		{name: "filter-regexp", what: "regular expressions of a huge size", run: filter(`context.data.x =~ "((((a{100}){100}){100}){100})%d"`)},
		{name: "filter-nested", what: "filters nested 20,000 deep", run: filter(strings.Repeat("(", 20_000) + "context.data.x == %d" + strings.Repeat(")", 20_000))},
		{name: "filter-disjunctions", what: "filters with 2^24 alternatives", run: filter(strings.Repeat("(1|2)&", 24) + "context.data.x == %d")},
		{name: "slow-filters", what: "50 TriggerServices of 200 slow filters each, changed all the time", run: func(ctx context.Context, t *tenant) {
			t.repeat(ctx, func(n int) {
				_ = t.try(ctx, strings.NewReplacer(`"name":"x","namespace":"x"`, fmt.Sprintf(`"name":"x%d","namespace":%q`, n%50, t.namespace), "context.data.x1 ", fmt.Sprintf("context.data.y%d ", n)).Replace(slowService(200)))
			})
		}},
		{name: "action-memory", what: "an action whose template takes all memory", run: action("x: " + memoryBomb + "\nparameter: {n: int}")},
		{name: "action-time", what: "an action whose template never ends", run: action("import \"list\"\nx: " + timeBomb + "\nparameter: {n: int}")},
		{name: "action-schema", what: "an action whose properties never fit", run: action("import \"list\"\nparameter: {n: int & <" + timeBomb + "}")},
		{name: "message-parse", what: "messages nested 10,000 deep", run: func(ctx context.Context, t *tenant) {
			message := strings.Repeat("{{if .data}}", 10_000) + strings.Repeat("{{end}}", 10_000)
			t.repeat(ctx, func(n int) {
				_ = t.idle(ctx, fmt.Sprint("x", n%50), trigger("x", "", fmt.Sprintf("{type: log, properties: {message: \"%d%s\"}}", n, message)))
			})
		}},
		{name: "view", what: "views that take all memory", run: func(ctx context.Context, t *tenant) {
			t.repeat(ctx, func(n int) {
				_ = t.idle(ctx, fmt.Sprint("x", n%50), fmt.Sprintf("- source: {type: velaql, properties: {view: 'status: %s + \"%d\"'}}\n  action: {type: log}\n", memoryBomb, n))
			})
		}},
		{name: "schedule", what: "schedules that no date fits", run: func(ctx context.Context, t *tenant) {
			t.repeat(ctx, func(n int) {
				_ = t.idle(ctx, fmt.Sprint("x", n%50), fmt.Sprintf("- source: {type: cronjob, properties: {schedule: '%d 0 31 2 *'}}\n  action: {type: log}\n", n%60))
			})
		}},
		{name: "quantity", what: "worker properties with a quantity that takes minutes to parse", run: worker(`{resource: {memory: {limits: "` + longQuantity + `"}}}`)},
		{name: "properties", what: "worker properties nested 1,000 deep", run: worker(strings.Repeat("{x: ", 1000) + "1" + strings.Repeat("}", 1000))},
		{name: "own-template", what: "a worker template of the tenant's own", run: func(ctx context.Context, t *tenant) {
			_ = t.definition(ctx, "evil", corev1alpha1.TriggerWorker, "deployment: spec: template: spec: containers: [{name: \"x\", image: \"evil\"}]\nparameter: {}")
			_ = t.service(ctx, "main", "worker: {template: evil}\ntriggers:\n"+trigger("x", "", "{type: log}"))
			t.hold(ctx)
		}},
	}
}

// repeat calls do with 0, 1, … until ctx ends, four at a time.
func (t *tenant) repeat(ctx context.Context, do func(n int)) {
	t.begin()
	each(ctx, 1_000_000, 4, func(n int) {
		do(n)
		wait(ctx, 10*time.Millisecond)
	})
}
