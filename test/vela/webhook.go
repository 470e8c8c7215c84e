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

package vela

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/util/cert"
)

// webhook is the webhook of vela-core that records the users of Applications.
type webhook struct {
	// args are the arguments of vela-core.
	args     []string
	address  string
	caBundle []byte
}

func newWebhook(t *testing.T) webhook {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey(host, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return webhook{address: address, caBundle: certificate, args: []string{
		"--use-webhook", "--webhook-port=" + port, "--webhook-cert-dir=" + dir,
		"--feature-gates=AuthenticateApplication=true", "--authentication-with-user", "--authentication-group-pattern=kubevela:*",
	}}
}

// register has the API server call the webhook, as the chart of KubeVela does.
func (w webhook) register(t *testing.T, k *KubeVela) {
	t.Helper()
	k.Apply(t, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: kubevela-vela-core-admission}
webhooks:
  - name: mutating.core.oam.dev.v1beta1.applications
    clientConfig: {url: "https://%s/mutating-core-oam-dev-v1beta1-applications", caBundle: %s}
    failurePolicy: Fail
    sideEffects: None
    admissionReviewVersions: [v1]
    rules: [{apiGroups: [core.oam.dev], apiVersions: [v1beta1], operations: [CREATE, UPDATE], resources: [applications]}]
`, w.address, base64.StdEncoding.EncodeToString(w.caBundle)))
}
