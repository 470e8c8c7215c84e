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
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// validatingWebhookStandby tests that a controller that does not hold the Lease serves the
// webhook, with a certificate from files.
func validatingWebhookStandby(t *testing.T, i *installation) {
	file, err := build()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	roots := writeCertificate(t, dir)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, file, "controller", "--namespace=vela-system", "--log-format=json", //nolint:gosec // own program
		"--webhook", "--webhook-addr=127.0.0.1:0", "--webhook-cert-dir="+dir)
	cmd.Env = []string{"KUBECONFIG=" + i.Kubeconfig, "HOME=/nonexistent"}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("stop the controller: %v", err)
		}
		_ = log.Close()
	})
	address := ""
	cluster.Eventually(t, "webhook listener", func(context.Context) error {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			return err
		}
		m := regexp.MustCompile(`"msg":"webhook listening","address":"([^"]+)"`).FindSubmatch(text)
		if m == nil || !bytes.Contains(text, []byte("serving webhook certificate")) {
			return fmt.Errorf("got log\n%s\nwant a listener and a certificate", text)
		}
		address = string(m[1])
		return nil
	})
	object, err := yaml.YAMLToJSON([]byte(invalidTriggers("default")))
	if err != nil {
		t.Fatal(err)
	}
	review := admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "u", Namespace: "default", Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: object},
	}}
	review.Request.Kind.Group, review.Request.Kind.Kind = "standard.oam.dev", "TriggerService"
	body, err := json.Marshal(review)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+"/?timeout=30s", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	review = admissionv1.AdmissionReview{}
	if err := json.NewDecoder(response.Body).Decode(&review); err != nil || review.Response == nil {
		t.Fatalf("got status %s and error %v, want an AdmissionReview with a response", response.Status, err)
	}
	for _, want := range invalidTriggerErrors() {
		if review.Response.Allowed || !strings.Contains(review.Response.Result.Message, want) {
			t.Errorf("got response %+v, want a denial with %q", review.Response, want)
		}
	}
}

// writeCertificate writes a self-signed certificate for 127.0.0.1 to dir, as tls.crt and
// tls.key. Clients that trust the returned roots accept it.
func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: s.Certificate().Raw}, "tls.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}
