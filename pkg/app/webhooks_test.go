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
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
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
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := e.webhookExample(t)
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, childCommand, string(options))
	p := &process{}
	cmd.Stderr = p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	status := postPush(t, p, harborSecret, "1")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || status != http.StatusAccepted {
		t.Fatalf("status %d, ended with %v", status, err)
	}
	again := startRun(t, o)
	deadline := time.Now().Add(30 * time.Second)
	for e.publishVersion(t, "web") == "" {
		if time.Now().After(deadline) {
			t.Fatal("no action")
		}
		time.Sleep(10 * time.Millisecond)
	}
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

	stop, called := make(chan struct{}), make(chan map[string]int)
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
		deadline := time.Now().Add(30 * time.Second)
		for len(p.waitForLog(t, "webhook accepts requests")) < generation {
			if time.Now().After(deadline) {
				t.Fatalf("generation %d has not started", generation)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	close(stop)
	answers := <-called
	calls := answers["202 Accepted"]
	if len(answers) != 1 || calls < 10 {
		t.Errorf("answers %v", answers)
	}
	want := strconv.Itoa(calls)
	for deadline := time.Now().Add(60 * time.Second); e.publishVersion(t, "web") != want && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := e.publishVersion(t, "web"); got != want {
		t.Errorf("version %s after %s calls", got, want)
	}
	p.stop(t)
}
