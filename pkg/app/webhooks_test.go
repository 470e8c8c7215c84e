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
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// harborSecret is the secret of Harbor in these tests.
const harborSecret = "s3cr3t-of-harbor"

// webhookExample returns options for examples/webhook, with a Secret and an
// Application for it.
func (e env) webhookExample(t *testing.T) RunOptions {
	t.Helper()
	e.createApplication(t, "web")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "harbor-hook"}, StringData: map[string]string{"secret": harborSecret}}
	if _, err := e.Client(t).CoreV1().Secrets(e.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	o := runOptions(t, exampleConfig(t, "webhook", e.namespace), writeKubeconfig(t, e.Config, e.namespace))
	o.WebhookAddr = "127.0.0.1:0"
	return o
}

// postPush calls the webhook of p as Harbor does after a push, and returns the status
// code.
func postPush(t *testing.T, p *process, secret, delivery string) int {
	t.Helper()
	body, err := os.ReadFile("../../examples/webhook/push.json")
	if err != nil {
		t.Fatal(err)
	}
	p.waitForLog(t, "webhook accepts requests")
	url := fmt.Sprintf("http://%s/hooks/harbor", p.waitForLog(t, "webhook server listens")[0]["address"])
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", secret)
	req.Header.Set("X-Delivery-Id", delivery)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// TestExample_Webhook runs examples/webhook: unauthorized calls are rejected, and each
// delivery is handled once.
func TestExample_Webhook(t *testing.T) {
	e := newEnv(t)
	p := startRun(t, e.webhookExample(t))
	for _, tc := range []struct {
		secret string
		want   int
	}{{"", http.StatusUnauthorized}, {"wrong", http.StatusUnauthorized}, {harborSecret, http.StatusAccepted}, {harborSecret, http.StatusOK}} {
		if status := postPush(t, p, tc.secret, "1"); status != tc.want {
			t.Errorf("%q: status %d, want %d", tc.secret, status, tc.want)
		}
	}
	p.waitForLog(t, "Action succeeded")
	p.stop(t)
	if got := e.publishVersion(t, "web"); got != "1" {
		t.Errorf("version %q", got)
	}
	if log := fmt.Sprint(p.lines); strings.Contains(log, harborSecret) {
		t.Errorf("the secret is in the log: %s", log)
	}
}

// TestWebhook_Killed kills the process as soon as it has answered. The next process
// handles the delivery.
func TestWebhook_Killed(t *testing.T) {
	e := newEnv(t)
	o := e.webhookExample(t)
	cmd, p := startProcess(t, o)
	status := postPush(t, p, harborSecret, "1")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || status != http.StatusAccepted {
		t.Fatalf("status %d, ended with %v", status, err)
	}
	again := startRun(t, o)
	eventually(t, "the action", func() bool { return e.publishVersion(t, "web") != "" })
	if status := postPush(t, again, harborSecret, "1"); status != http.StatusOK {
		t.Errorf("repeated delivery: status %d", status)
	}
	again.stop(t)
}

// TestWebhook_ChangingTriggerService calls a webhook while its TriggerService changes:
// no call is rejected, and each is handled once.
func TestWebhook_ChangingTriggerService(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createAccount(t)
	e.createApplication(t, "web")
	spec := func(concurrency int) map[string]any {
		return map[string]any{"triggers": []any{map[string]any{
			"name":        "called",
			"source":      map[string]any{"type": "webhook", "properties": map[string]any{"auth": "none"}},
			"action":      map[string]any{"type": "bump-application-revision", "properties": map[string]any{"namespace": e.namespace, "nameSelector": map[string]any{"name": "web"}}},
			"concurrency": int64(concurrency),
		}}}
	}
	service := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "standard.oam.dev/v1alpha1", "kind": "TriggerService", "metadata": map[string]any{"name": "hooks"}, "spec": spec(1),
	}}
	if _, err := e.services.Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// change edits the spec as a user does, and accepts it as the controller does.
	change := func(generation int) {
		t.Helper()
		patch, err := json.Marshal(map[string]any{"spec": spec(generation)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.services.Patch(t.Context(), "hooks", types.MergePatchType, patch, metav1.PatchOptions{})
		if err := errors.Join(err, e.accept(t, "hooks")); err != nil {
			t.Fatal(err)
		}
	}
	change(1)
	o := e.serviceOptions("hooks")
	o.WebhookAddr = "127.0.0.1:0"
	p := startRun(t, o)
	p.waitForLog(t, "webhook accepts requests")
	url := fmt.Sprintf("http://%s/%s/called", p.waitForLog(t, "webhook server listens")[0]["address"], e.namespace)

	stop, called := make(chan struct{}), make(chan map[string]int, 1)
	var answered atomic.Int64
	go func() {
		answers := map[string]int{}
		for {
			select {
			case <-stop:
				called <- answers
				return
			case <-time.After(2 * time.Millisecond):
			}
			res, err := http.Post(url, "application/json", strings.NewReader(`{}`))
			answered.Add(1)
			if err != nil {
				answers[err.Error()]++
				continue
			}
			res.Body.Close()
			answers[res.Status]++
		}
	}()
	for generation := 2; generation <= 4; generation++ {
		change(generation)
		eventually(t, fmt.Sprint("the start of generation ", generation), func() bool {
			return len(p.waitForLog(t, "webhook accepts requests")) >= generation
		})
		before := answered.Load()
		eventually(t, "calls", func() bool { return answered.Load() >= before+3 })
	}
	close(stop)
	answers := cluster.Receive(t, "the last answer", called)
	calls := answers["202 Accepted"]
	if len(answers) != 1 || calls == 0 {
		t.Errorf("answers %v", answers)
	}
	want := strconv.Itoa(calls)
	eventually(t, "version "+want, func() bool { return e.publishVersion(t, "web") == want })
	p.stop(t)
}

// TestWebhook_ImageToApplication: a push sets the image of an Application, with the host of
// the registry: that of an instance of Alibaba Cloud's Enterprise Edition (kubevela#5089), and
// those that other registries name.
func TestWebhook_ImageToApplication(t *testing.T) {
	e := newEnv(t)
	create(t, e.applications, map[string]any{
		"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "spec": map[string]any{"components": []any{
			map[string]any{"name": "web", "type": "webservice", "properties": map[string]any{"image": "web:v1"}},
		}},
	}, "web")
	config := "triggers:\n"
	pushes := map[string][3]string{
		"acr": {
			"registry: acr, registryHost: acme-registry.cn-hongkong.cr.aliyuncs.com",
			`{"push_data":{"tag":"v2"},"repository":{"name":"web","namespace":"shop","region":"cn-hongkong","repo_full_name":"shop/web","repo_type":"PRIVATE"}}`,
			"acme-registry.cn-hongkong.cr.aliyuncs.com/shop/web:v2",
		},
		"quay": {
			"registry: quay", `{"repository":"shop/web","docker_url":"quay.io/shop/web","updated_tags":["v3"]}`, "quay.io/shop/web:v3",
		},
		"ecr": {
			"registry: ecr", `{"id":"1","detail-type":"ECR Image Action","source":"aws.ecr","account":"1","region":"eu-west-1","detail":{"result":"SUCCESS","repository-name":"web","action-type":"PUSH","image-tag":"v4"}}`,
			"1.dkr.ecr.eu-west-1.amazonaws.com/web:v4",
		},
	}
	for name, push := range pushes {
		config += fmt.Sprintf(`  - name: %[1]s
    source: {type: webhook, properties: {path: /%[1]s, auth: none, %[2]s}}
    filter: context.data.action == "push"
    action: {type: patch-application, properties: {name: web, namespace: %[3]s, component: web}}
`, name, push[0], e.namespace)
	}
	o := e.options(t, config)
	o.WebhookAddr = "127.0.0.1:0"
	p := startRun(t, o)
	p.waitForLog(t, "webhook server listens")
	address := p.waitForLog(t, "webhook server listens")[0]["address"]
	for name, push := range pushes {
		eventually(t, "the webhook answers", func() bool {
			res, err := http.Post(fmt.Sprintf("http://%s/%s", address, name), "application/json", strings.NewReader(push[1]))
			if err != nil {
				return false
			}
			res.Body.Close()
			return res.StatusCode == http.StatusAccepted
		})
		eventually(t, "the image is "+push[2], func() bool {
			app, err := e.applications.Get(t.Context(), "web", metav1.GetOptions{})
			return err == nil && strings.Contains(fmt.Sprint(app.Object["spec"]), "image:"+push[2]+"]")
		})
	}
	p.stop(t)
}

// TestWebhook_Redelivery: a delivery whose event became a dead letter is handled when the
// sender delivers it again, with the same ID (smee-client#72: GitHub's "Redeliver").
func TestWebhook_Redelivery(t *testing.T) {
	e := newEnv(t)
	o := e.options(t, fmt.Sprintf(`triggers:
  - name: bump
    source: {type: webhook, properties: {path: /github, auth: none}}
    filter: context.event.type == "push"
    action: {type: bump-application-revision, properties: {namespace: %s, nameSelector: {name: web}}}
    retry: {limit: 0}
`, e.namespace))
	o.WebhookAddr = "127.0.0.1:0"
	p := startRun(t, o)
	p.waitForLog(t, "webhook accepts requests")
	url := fmt.Sprintf("http://%s/github", p.waitForLog(t, "webhook server listens")[0]["address"])
	deliver := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"ref":"refs/heads/main"}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"X-GitHub-Event": "push", "X-GitHub-Delivery": "72d3162e-cc78", "Content-Type": "application/json"} {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if status := deliver(); status != http.StatusAccepted {
		t.Fatalf("status %d", status)
	}
	p.waitForLog(t, "Event dead-lettered")
	e.createApplication(t, "web")
	eventually(t, "the delivery is taken again", func() bool { return deliver() == http.StatusAccepted })
	eventually(t, "the Application has a version", func() bool { return e.publishVersion(t, "web") == "1" })
	p.stop(t)
}

// TestWebhook_RejectionsVisible: refused calls are in the status of the TriggerService and in
// the metrics, with their reason, and the status is not written for each of them.
func TestWebhook_RejectionsVisible(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createCheckedService(t, "hooks", `{triggers: [{name: called, source: {type: webhook, properties: {auth: none, registry: harbor}}, action: {type: log}}]}`)
	o := e.serviceOptions("hooks")
	o.WebhookAddr, o.MetricsAddr = "127.0.0.1:0", "127.0.0.1:0"
	p := startRun(t, o)
	p.waitForLog(t, "webhook accepts requests")
	url := fmt.Sprintf("http://%s/%s/called", p.waitForLog(t, "webhook server listens")[0]["address"], e.namespace)
	send := func(body string) {
		t.Helper()
		res, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("status %d", res.StatusCode)
		}
	}
	status := func() map[string]any {
		u, err := e.services.Get(t.Context(), "hooks", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		triggers, _, _ := unstructured.NestedSlice(u.Object, "status", "triggers")
		if len(triggers) == 0 {
			return nil
		}
		first, _ := triggers[0].(map[string]any)
		return first
	}
	send("{")
	eventually(t, "the status has the rejection", func() bool { return fmt.Sprint(status()["rejectedRequests"]) == "1" })
	if s := status(); !strings.Contains(fmt.Sprint(s["lastRejection"]), "malformed body") || s["lastRejectionTime"] == nil || s["state"] != "Running" {
		t.Errorf("status %v", s)
	}
	send("[]")
	res, err := http.Get(fmt.Sprintf("http://%s/metrics", p.waitForLog(t, "serving metrics")[0]["address"]))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	metrics, err := io.ReadAll(res.Body)
	want := fmt.Sprintf(`kube_trigger_webhook_rejections_total{reason="Malformed",trigger="%s/called",triggerservice="hooks"} 2`, e.namespace)
	if err != nil || !strings.Contains(string(metrics), want) {
		t.Errorf("no line %s, %v", want, err)
	}
	p.stop(t)
}
