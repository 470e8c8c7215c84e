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

package admission_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/admission"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key}
}

// pem returns the certificate of a.
func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// issue returns a certificate for 127.0.0.1 and localhost, and its key, in PEM.
func (a authority) issue(t *testing.T, usage x509.ExtKeyUsage) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

func (a authority) pair(t *testing.T, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(a.issue(t, usage))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// denied is the message with which the webhook of startServer denies everything.
const denied = "no ConfigMaps today"

// startServer serves a webhook that answers only clients with certificates of clientCA.
func startServer(t *testing.T, server authority, clientCA string) (address string) {
	t.Helper()
	pair := server.pair(t, x509.ExtKeyUsageServerAuth)
	s := admission.Server{
		Address: "127.0.0.1:0", ClientCA: clientCA,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil },
		Handler: admission.NewHandler(func(context.Context, *admissionv1.AdmissionRequest) (admission.Verdict, error) {
			return admission.Verdict{Problems: diag.List{{Path: "data", Message: denied}}}, nil
		}),
	}
	// The log has the address.
	addresses := make(chan string, 1)
	log := funcr.NewJSON(func(text string) {
		var line struct{ Address string }
		if json.Unmarshal([]byte(text), &line) == nil && line.Address != "" {
			addresses <- line.Address
		}
	}, funcr.Options{})
	ctx, stop := context.WithCancel(logr.NewContext(context.Background(), log))
	ended := make(chan error, 1)
	go func() { ended <- s.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return cluster.Receive(t, "the address of the server", addresses)
}

// call returns the error of a call of a server with the given client certificates.
func call(t *testing.T, address string, server authority, certificates ...tls.Certificate) error {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(server.certificate)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(r)
	if err == nil {
		response.Body.Close()
	}
	return err
}

// TestServer_ClientCA: with ClientCA, only clients with a certificate of its authorities are
// answered, and a replaced file counts for the next connection.
func TestServer_ClientCA(t *testing.T) {
	server, first, second := newAuthority(t), newAuthority(t), newAuthority(t)
	file := filepath.Join(t.TempDir(), "ca.crt")
	write(t, file, string(first.pem()))
	address := startServer(t, server, file)
	certificate := first.pair(t, x509.ExtKeyUsageClientAuth)
	cluster.Eventually(t, "an answer to a client with a certificate", func(context.Context) error {
		return call(t, address, server, certificate)
	})
	for name, certificates := range map[string][]tls.Certificate{
		"none":                   nil,
		"of another authority":   {second.pair(t, x509.ExtKeyUsageClientAuth)},
		"of the server's":        {server.pair(t, x509.ExtKeyUsageClientAuth)},
		"not for authentication": {first.pair(t, x509.ExtKeyUsageServerAuth)},
	} {
		if err := call(t, address, server, certificates...); err == nil {
			t.Errorf("certificate %s: got an answer, want none", name)
		}
	}
	write(t, file, string(second.pem()))
	if err := call(t, address, server, certificate); err == nil {
		t.Error("after the authority was replaced: got an answer to a client with an old certificate, want none")
	}
	if err := call(t, address, server, second.pair(t, x509.ExtKeyUsageClientAuth)); err != nil {
		t.Errorf("after the authority was replaced: got %v, want an answer to a client with a new certificate", err)
	}
	write(t, file, "damaged")
	if err := call(t, address, server, second.pair(t, x509.ExtKeyUsageClientAuth)); err == nil {
		t.Error("damaged file: got an answer, want none")
	}
}

// TestServer_ClientCAInvalid: a server does not start without authorities to ask for.
func TestServer_ClientCAInvalid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	write(t, file, "none")
	for _, name := range []string{file, file + ".absent"} {
		err := admission.Server{Address: "127.0.0.1:0", ClientCA: name}.Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want an error that names %s", err, name)
		}
	}
}

// TestServer_APIServer: an API server whose admission configuration has a client
// certificate is answered.
func TestServer_APIServer(t *testing.T) {
	server, clients := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.crt")
	write(t, ca, string(clients.pem()))
	address := startServer(t, server, ca)
	certificate, key := clients.issue(t, x509.ExtKeyUsageClientAuth)
	write(t, filepath.Join(dir, "tls.crt"), string(certificate))
	write(t, filepath.Join(dir, "tls.key"), string(key))
	write(t, filepath.Join(dir, "kubeconfig"), fmt.Sprintf(`apiVersion: v1
kind: Config
users:
  - name: %s
    user: {client-certificate: %s/tls.crt, client-key: %[2]s/tls.key}
`, address, dir))
	config := filepath.Join(dir, "admission.yaml")
	write(t, config, fmt.Sprintf(`apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: ValidatingAdmissionWebhook
    configuration:
      apiVersion: apiserver.config.k8s.io/v1
      kind: WebhookAdmissionConfiguration
      kubeConfigFile: %s/kubeconfig
`, dir))
	c := cluster.Start(t, cluster.WithAdmissionConfig(config))
	admin, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// The configuration has no certificate for the second name of the server.
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	for name, host := range map[string]string{"known": address, "unknown": net.JoinHostPort("localhost", port)} {
		namespace := c.Namespace(t)
		register(t, admin, namespace, "https://"+host, server.pem())
		cluster.Eventually(t, "a call of "+name, func(ctx context.Context) error {
			o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "a-"}}
			err := admin.Create(ctx, o, client.DryRunAll)
			switch {
			case name == "known" && apierrors.IsInvalid(err) && strings.Contains(err.Error(), denied):
				return nil
			case name == "unknown" && apierrors.IsInternalError(err) && strings.Contains(err.Error(), "tls: certificate required"):
				return nil
			}
			return fmt.Errorf("got error %s", fmt.Sprint(err))
		})
	}
}

// register has the API server call url for the ConfigMaps of a namespace.
func register(t *testing.T, c client.Client, namespace, url string, caBundle []byte) {
	t.Helper()
	err := c.Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "configmaps.trigger.oam.dev", AdmissionReviewVersions: []string{"v1"},
			SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), FailurePolicy: ptr.To(admissionregistrationv1.Fail),
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: caBundle},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}
