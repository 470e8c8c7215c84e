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

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// harborSecret is what Harbor sends in these tests.
const harborSecret = "s3cr3t-of-harbor"

// webhookExample returns examples/webhook for the namespace of w, which has its
// Secret and Application.
func (w world) webhookExample(t *testing.T) string {
	t.Helper()
	w.create(t, w.applications, "core.oam.dev/v1beta1", "Application", "web")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "harbor-hook"}, StringData: map[string]string{"secret": harborSecret}}
	if _, err := w.Client(t).CoreV1().Secrets(w.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../examples/webhook/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return written(t, strings.ReplaceAll(string(text), "namespace: default", "namespace: "+w.namespace))
}

// push posts what Harbor sends to the webhook that p serves.
func push(t *testing.T, p *process, secret, delivery string) int {
	t.Helper()
	body, err := os.ReadFile("../../examples/webhook/push.json")
	if err != nil {
		t.Fatal(err)
	}
	p.logs(t, "webhook takes calls")
	url := fmt.Sprintf("http://%s/hooks/harbor", p.logs(t, "webhooks listen")[0]["address"])
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
	w := start(t)
	p := run(t, "-c", w.webhookExample(t), "--kubeconfig", kubeconfig(t, w.Config, w.namespace), "--webhook-addr", "127.0.0.1:0")
	for _, tc := range []struct {
		secret string
		want   int
	}{{"", http.StatusUnauthorized}, {"wrong", http.StatusUnauthorized}, {harborSecret, http.StatusAccepted}, {harborSecret, http.StatusOK}} {
		if status := push(t, p, tc.secret, "1"); status != tc.want {
			t.Errorf("%q: status %d, want %d", tc.secret, status, tc.want)
		}
	}
	p.logs(t, "Acted on event")
	p.stop(t)
	if got := w.version(t, "web"); got != "1" {
		t.Errorf("version %q", got)
	}
	if log := fmt.Sprint(p.lines); strings.Contains(log, harborSecret) {
		t.Errorf("the secret is in the log: %s", log)
	}
}

// TestWebhookKilled kills the process as soon as it has answered; the next one
// acts.
func TestWebhookKilled(t *testing.T) {
	w := start(t)
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
		"run", "-c", w.webhookExample(t), "--kubeconfig", kubeconfig(t, w.Config, w.namespace),
		"--webhook-addr", "127.0.0.1:0", "--store", db,
	}
	cmd := exec.Command(binary, append(args, "--log-format", "json")...)
	p := &process{}
	cmd.Stderr = p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	status := push(t, p, harborSecret, "1")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || status != http.StatusAccepted {
		t.Fatalf("status %d, ended with %v", status, err)
	}
	again := run(t, args[1:]...)
	deadline := time.Now().Add(30 * time.Second)
	for w.version(t, "web") == "" {
		if time.Now().After(deadline) {
			t.Fatal("nothing was acted on")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if status := push(t, again, harborSecret, "1"); status != http.StatusOK {
		t.Errorf("the delivery is taken again: status %d", status)
	}
	again.stop(t)
}
