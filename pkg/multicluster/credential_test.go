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

package multicluster

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

func secretOf(kind string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "eu-1", Labels: map[string]string{CredentialLabel: kind}},
		Data:       map[string][]byte{},
	}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	return s
}

// TestConfigOf_Certificate connects to a server that requires a client certificate.
func TestConfigOf_Certificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "admin"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pemOf := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	user := make(chan string, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user <- r.TLS.PeerCertificates[0].Subject.CommonName
	}))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(pemOf("CERTIFICATE", der)))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	ca := pemOf("CERTIFICATE", server.Certificate().Raw)
	for name, authority := range map[string]map[string]string{
		"verified":     {"ca.crt": ca},
		"key ca":       {"ca": ca},
		"not verified": {},
	} {
		t.Run(name, func(t *testing.T) {
			data := map[string]string{"endpoint": server.URL + "\n", "tls.crt": pemOf("CERTIFICATE", der), "tls.key": pemOf("EC PRIVATE KEY", keyDER)}
			for key, value := range authority {
				data[key] = value
			}
			config, err := configOf(secretOf("X509Certificate", data))
			if err != nil {
				t.Fatal(err)
			}
			if config.Insecure != (len(authority) == 0) {
				t.Errorf("Insecure is %v", config.Insecure)
			}
			client, err := rest.HTTPClientFor(config)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Get(config.Host)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			client.CloseIdleConnections()
			if got := <-user; got != "admin" {
				t.Errorf("user %q, want admin", got)
			}
		})
	}
}

// TestConfigOf_Invalid checks the errors, which must not contain data of the Secret.
func TestConfigOf_Invalid(t *testing.T) {
	const secret = "hunter2"
	endpoint := "https://example.com:6443"
	for name, c := range map[string]struct {
		kind string
		data map[string]string
		want string
	}{
		"no endpoint": {"ServiceAccountToken", map[string]string{"token": secret}, "invalid URL in endpoint of the Secret"},
		"no scheme":   {"ServiceAccountToken", map[string]string{"endpoint": secret, "token": secret}, "invalid URL in endpoint of the Secret"},
		"user info":   {"ServiceAccountToken", map[string]string{"endpoint": "https://admin:" + secret + "@example.com", "token": secret}, "invalid URL in endpoint of the Secret"},
		"no token":    {"ServiceAccountToken", map[string]string{"endpoint": endpoint}, "no token in the Secret"},
		"no key":      {"X509Certificate", map[string]string{"endpoint": endpoint, "tls.crt": secret}, "tls.crt and tls.key required in the Secret"},
		"bad pair":    {"X509Certificate", map[string]string{"endpoint": endpoint, "tls.crt": secret, "tls.key": secret}, "invalid certificate or key in the Secret"},
		"bad CA":      {"ServiceAccountToken", map[string]string{"endpoint": endpoint, "token": secret, "ca.crt": secret}, "invalid certificate or key in the Secret"},
		"proxy":       {"ServiceAccountToken", map[string]string{"endpoint": endpoint, "token": secret, "proxy-url": "ftp://" + secret}, "invalid URL in proxy-url of the Secret"},
		"plugin":      {"Dynamic", map[string]string{"endpoint": endpoint, "exec": secret}, `credential type "Dynamic" is supported only by cluster-gateway`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := configOf(secretOf(c.kind, c.data))
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	s := secretOf("ServiceAccountToken", map[string]string{"token": secret})
	s.Labels[endpointTypeLabel] = "ClusterProxy"
	if _, err := configOf(s); err == nil || !strings.Contains(err.Error(), "is supported only by cluster-gateway") {
		t.Errorf("got %v", err)
	}
}

// FuzzConfigOf checks that each configuration has a valid URL and a credential, and
// that errors do not contain data of the Secret.
func FuzzConfigOf(f *testing.F) {
	f.Add("ServiceAccountToken", "https://example.com", "", "", "", "token-of-a-user", "")
	f.Add("X509Certificate", "http://[::1]:80/base", "ca", "crt", "key", "", "socks5://proxy:1080")
	f.Fuzz(func(t *testing.T, kind, endpoint, ca, crt, key, token, proxy string) {
		s := secretOf(kind, map[string]string{
			"endpoint": endpoint, "ca.crt": ca, "tls.crt": crt, "tls.key": key, "token": token, "proxy-url": proxy,
		})
		config, err := configOf(s)
		if err == nil {
			if _, _, err := rest.DefaultServerUrlFor(config); err != nil {
				t.Errorf("invalid endpoint %q accepted: %v", endpoint, err)
			}
			if config.BearerToken == "" && len(config.CertData) == 0 {
				t.Error("no credential")
			}
			return
		}
		for _, secret := range []string{key, token} {
			if len(secret) > 20 && strings.Contains(err.Error(), secret) {
				t.Errorf("the error contains %q", secret)
			}
		}
		other := s.DeepCopy()
		other.Data["token"] = append(bytes.Clone(s.Data["token"]), 'x')
		if fingerprint(s) == fingerprint(other) {
			t.Error("the fingerprint does not depend on the token")
		}
	})
}

func TestUnavailableError(t *testing.T) {
	e := &UnavailableError{Clusters: map[string]error{"b": http.ErrServerClosed, "": http.ErrHandlerTimeout, "a": http.ErrBodyNotAllowed}}
	want := `joined clusters unknown: ` + http.ErrHandlerTimeout.Error() + `; cluster "a": ` + http.ErrBodyNotAllowed.Error() + `; cluster "b": ` + http.ErrServerClosed.Error()
	if e.Error() != want {
		t.Errorf("got %s", e)
	}
}
