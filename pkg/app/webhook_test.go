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
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// harborSecret is what Harbor sends in these tests.
const harborSecret = "s3cr3t-of-harbor"

// webhookExample returns examples/webhook for the namespace of e, which has its
// Secret and Application.
func (e env) webhookExample(t *testing.T) string {
	t.Helper()
	e.createApplication(t, "web")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "harbor-hook"}, StringData: map[string]string{"secret": harborSecret}}
	if _, err := e.Client(t).CoreV1().Secrets(e.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../examples/webhook/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return writeConfig(t, strings.ReplaceAll(string(text), "namespace: default", "namespace: "+e.namespace))
}

// postPush posts what Harbor sends to the webhook that p serves.
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

// TestWebhookExample acts on what may call, once.
func TestWebhookExample(t *testing.T) {
	e := newEnv(t)
	p := startRun(t, "-c", e.webhookExample(t), "--kubeconfig", kubeconfig(t, e.Config, e.namespace), "--webhook-addr", "127.0.0.1:0")
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

// TestWebhookKilled kills the process as soon as it has answered; the next one
// acts.
func TestWebhookKilled(t *testing.T) {
	e := newEnv(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	binary, db := filepath.Join(dir, "kube-trigger"), filepath.Join(dir, "store.db")
	if err := os.Symlink(self, binary); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"run", "-c", e.webhookExample(t), "--kubeconfig", kubeconfig(t, e.Config, e.namespace),
		"--webhook-addr", "127.0.0.1:0", "--store", db,
	}
	cmd := exec.Command(binary, append(args, "--log-format", "json")...)
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
	again := startRun(t, args[1:]...)
	deadline := time.Now().Add(30 * time.Second)
	for e.publishVersion(t, "web") == "" {
		if time.Now().After(deadline) {
			t.Fatal("nothing was acted on")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if status := postPush(t, again, harborSecret, "1"); status != http.StatusOK {
		t.Errorf("the delivery is taken again: status %d", status)
	}
	again.stop(t)
}

// TestWebhookOfAChangingService calls a webhook all the time while its
// TriggerService changes: no call is refused, and each is acted on once.
func TestWebhookOfAChangingService(t *testing.T) {
	e := newEnv(t)
	crds, err := filepath.Glob("../../addon/crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e.Install(t, crds...)
	e.createApplication(t, "web")
	client, err := dynamic.NewForConfig(e.Config)
	if err != nil {
		t.Fatal(err)
	}
	services := client.Resource(v1alpha1.GroupVersion().WithResource("triggerservices")).Namespace(e.namespace)
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
	if _, err := services.Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// change is what a user does, and the controller that has checked it.
	change := func(generation int) {
		t.Helper()
		patch, err := json.Marshal(map[string]any{"spec": spec(generation)})
		if err != nil {
			t.Fatal(err)
		}
		_, changed := services.Patch(t.Context(), "hooks", types.MergePatchType, patch, metav1.PatchOptions{})
		checked := fmt.Appendf(nil, `{"status":{"observedGeneration":%d}}`, generation)
		_, err = services.Patch(t.Context(), "hooks", types.MergePatchType, checked, metav1.PatchOptions{}, "status")
		if err := errors.Join(changed, err); err != nil {
			t.Fatal(err)
		}
	}
	change(1)
	p := startRun(t, "--trigger-service", e.namespace+"/hooks", "--kubeconfig", e.Kubeconfig, "--webhook-addr", "127.0.0.1:0")
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
				t.Fatalf("generation %d does not run", generation)
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
