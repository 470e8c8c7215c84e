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
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// tellAction makes a ConfigMap with the batch of the event.
const tellAction = `
import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"vela/kube"
)

tell: kube.#Apply & {$params: resource: {
	apiVersion: "v1"
	kind:       "ConfigMap"
	metadata: {
		name:      "told-" + strings.SliceRunes(hex.Encode(sha256.Sum256(context.trigger.name + context.event.id)), 0, 20)
		namespace: parameter.namespace
		labels: told: context.trigger.name
	}
	data: batch: json.Marshal(context.batch)
}}
parameter: namespace: string
`

// told returns the keys or names in the batch of each action of a trigger, sorted.
func (e env) told(t *testing.T, trigger string) []string {
	t.Helper()
	list, err := e.Client(t).CoreV1().ConfigMaps(e.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "told=" + trigger})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, cm := range list.Items {
		var batch []struct{ Name, Type string }
		if err := json.Unmarshal([]byte(cm.Data["batch"]), &batch); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, item := range batch {
			if item.Name == "" {
				item.Name = item.Type
			}
			names = append(names, item.Name)
		}
		slices.Sort(names)
		out = append(out, strings.Join(names, " "))
	}
	slices.Sort(out)
	return out
}

func (e env) wantTold(t *testing.T, trigger string, want ...string) {
	t.Helper()
	if got := e.told(t, trigger); !slices.Equal(got, want) {
		t.Errorf("trigger %s: actions for %q, want %q", trigger, got, want)
	}
}

// TestGroup_Restart restarts a workload once for three ConfigMaps of a release:
// stakater/Reloader#110.
func TestGroup_Restart(t *testing.T) {
	e := newEnv(t)
	kube, labels := e.Client(t), map[string]string{"app": "web"}
	deployments := kube.AppsV1().Deployments(e.namespace)
	if _, err := deployments.Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx"}}},
		}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("web-", i), Labels: labels}, Data: map[string]string{"n": "0"}}
		if _, err := kube.CoreV1().ConfigMaps(e.namespace).Create(t.Context(), cm, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	p := startRun(t, e.options(t, fmt.Sprintf(`
triggers:
  - name: restart-once
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, matchingLabels: {app: web}, events: [update]}}
    onChange: [data]
    action: {type: restart-workload, properties: {kind: Deployment, name: web, namespace: %[1]s}}
    debounce: %[2]s
    group: {by: context.data.metadata.labels.app}
`, e.namespace, debounceWindow)))
	p.waitForLog(t, "watching")
	for i := range 3 {
		if _, err := kube.CoreV1().ConfigMaps(e.namespace).Patch(t.Context(), fmt.Sprint("web-", i), types.MergePatchType, []byte(`{"data":{"n":"1"}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	p.waitForLog(t, "Action succeeded")
	p.stop(t) // nothing is left to do
	d, err := deployments.Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Generation != 2 {
		t.Errorf("restarted %d times", d.Generation-1)
	}
}

// TestGroup_Killed kills the process within the window: the next one has one action for
// the group.
func TestGroup_Killed(t *testing.T) {
	e := newEnv(t)
	o := e.options(t, fmt.Sprintf(`
triggers:
  - name: all
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [create]}}
    filter: context.data.metadata.name =~ "^web-"
    action: {type: tell, properties: {namespace: %[1]s}}
    debounce: %[2]s
    group: {by: trigger}
`, e.namespace, debounceWindow))
	o.ActionsDir = writeActions(t, map[string]string{"tell.cue": tellAction})
	cmd, p := startProcess(t, o)
	p.waitForLog(t, "watching")
	for i := range 3 {
		e.createConfigMap(t, fmt.Sprint("web-", i))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // an error: it was killed
	e.wantTold(t, "all")
	again := startRun(t, o)
	again.waitForLog(t, "Action succeeded")
	again.stop(t)
	e.wantTold(t, "all", "web-0 web-1 web-2")
}

// TestGroup_Schema has the API server refuse a group without a window.
func TestGroup_Schema(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	const spec = `
triggers:
  - source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap}}
    action: {type: log}
    group: {by: trigger}
`
	if err := e.createService(t, "windowless", spec); err == nil || !strings.Contains(err.Error(), "group requires debounce") {
		t.Errorf("got %v", err)
	}
	if err := e.createService(t, "window", spec+"    debounce: 5s\n"); err != nil {
		t.Error(err)
	}
}

// TestGroup_By groups by what reports of users ask for.
func TestGroup_By(t *testing.T) {
	e := newEnv(t)
	other := e.Namespace(t)
	watch := func(name, kind, namespace, filter, by string) string {
		return fmt.Sprintf(`
  - name: %s
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: %s, %s events: [create]}}
    filter: %s
    action: {type: tell, properties: {namespace: %s}}
    debounce: %s
    group: {by: %s}
`, name, kind, namespace, filter, e.namespace, debounceWindow, by)
	}
	own := "namespace: " + e.namespace + ","
	o := e.options(t, "triggers:"+
		// The rotated Secrets of one application restart it once: hashicorp/vault-secrets-operator#644.
		watch("release", "Secret", own, `""`, "'context.data.metadata.labels.release'")+
		// Thousands of Secrets change at once; one action for each namespace: stakater/Reloader#220.
		watch("namespace", "Secret", "", fmt.Sprintf("context.data.metadata.namespace == %q || context.data.metadata.namespace == %q", e.namespace, other), "namespace")+
		// A ConfigMap and those that belong to it, by a part of the name: stakater/Reloader#508.
		watch("prefix", "ConfigMap", own, `'context.data.metadata.name =~ "^(web|api)-"'`, `"import \"strings\"\nstrings.Split(context.data.metadata.name, \"-\")[0]"`)+
		// One run gets all events of the window: inngest/inngest#3695.
		watch("everything", "ConfigMap", own, `'context.data.metadata.name =~ "^(web|api)-"'`, "trigger")+
		// Each object is a group of its own by default.
		watch("each", "ConfigMap", own, `'context.data.metadata.name =~ "^web-"'`, "object")+
		// Several events of one pull request: automagik-dev/omni#1110. Those that lack the
		// key are not one group: willdady/platypus#811.
		fmt.Sprintf(`
  - name: pull-request
    source: {type: webhook, properties: {path: /pr, auth: none}}
    action: {type: tell, properties: {namespace: %s}}
    debounce: %s
    group: {by: '"\(context.data.body.repository)#\(context.data.body.number)"'}
`, e.namespace, debounceWindow))
	o.ActionsDir, o.WebhookAddr = writeActions(t, map[string]string{"tell.cue": tellAction}), "127.0.0.1:0"
	p := startRun(t, o)
	p.waitForLog(t, "webhook accepts requests")
	eventually(t, "all watches", func() bool { return len(p.waitForLog(t, "watching")) == 3 })

	secret := func(namespace, name, release string) {
		t.Helper()
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if release != "" {
			s.Labels = map[string]string{"release": release}
		}
		if _, err := e.Client(t).CoreV1().Secrets(namespace).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	secret(e.namespace, "db-1", "web")
	secret(e.namespace, "tls", "api")
	secret(e.namespace, "db-2", "web")
	secret(e.namespace, "alone-1", "")
	secret(e.namespace, "alone-2", "")
	secret(other, "elsewhere", "web")
	for _, name := range []string{"web-1", "api-1", "web-2"} {
		e.createConfigMap(t, name)
	}
	url := fmt.Sprintf("http://%s/pr", p.waitForLog(t, "webhook server listens")[0]["address"])
	for i, body := range []string{`{"repository":"a","number":1}`, `{"repository":"a","number":1}`, `{"repository":"a","number":2}`, `{"zen":"x"}`, `{"zen":"y"}`} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Delivery-Id", fmt.Sprint(i))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	const actions = 4 + 2 + 2 + 1 + 2 + 4
	eventually(t, "all actions", func() bool { return len(p.waitForLog(t, "Action succeeded")) >= actions })
	p.stop(t)
	e.wantTold(t, "release", "alone-1", "alone-2", "db-1 db-2", "tls")
	e.wantTold(t, "namespace", "alone-1 alone-2 db-1 db-2 tls", "elsewhere")
	e.wantTold(t, "prefix", "api-1", "web-1 web-2")
	e.wantTold(t, "everything", "api-1 web-1 web-2")
	e.wantTold(t, "each", "web-1", "web-2")
	e.wantTold(t, "pull-request", "request", "request", "request", "request request")
}
