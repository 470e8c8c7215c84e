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

// TestCertificate logs in with a certificate, at a server that asks for one.
func TestCertificate(t *testing.T) {
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
	who := make(chan string, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		who <- r.TLS.PeerCertificates[0].Subject.CommonName
	}))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(pemOf("CERTIFICATE", der)))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	ca := pemOf("CERTIFICATE", server.Certificate().Raw)
	for name, authority := range map[string]map[string]string{
		"verified":     {"ca.crt": ca},
		"old key":      {"ca": ca},
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
				t.Errorf("insecure is %v", config.Insecure)
			}
			client, err := rest.HTTPClientFor(config)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.Get(config.Host)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			client.CloseIdleConnections()
			if got := <-who; got != "admin" {
				t.Errorf("logged in as %q", got)
			}
		})
	}
}

// TestBadSecrets says of each what is wrong, and nothing that it holds.
func TestBadSecrets(t *testing.T) {
	const secret = "hunter2"
	at := "https://example.com:6443"
	for name, c := range map[string]struct {
		kind string
		data map[string]string
		want string
	}{
		"no address":   {"ServiceAccountToken", map[string]string{"token": secret}, "the endpoint in its Secret is no address"},
		"a name":       {"ServiceAccountToken", map[string]string{"endpoint": secret, "token": secret}, "the endpoint in its Secret is no address"},
		"a user":       {"ServiceAccountToken", map[string]string{"endpoint": "https://admin:" + secret + "@example.com", "token": secret}, "the endpoint in its Secret is no address"},
		"no token":     {"ServiceAccountToken", map[string]string{"endpoint": at}, "its Secret has no token"},
		"no key":       {"X509Certificate", map[string]string{"endpoint": at, "tls.crt": secret}, "its Secret has no tls.crt and tls.key"},
		"no pair":      {"X509Certificate", map[string]string{"endpoint": at, "tls.crt": secret, "tls.key": secret}, "the certificates in its Secret cannot be used"},
		"no authority": {"ServiceAccountToken", map[string]string{"endpoint": at, "token": secret, "ca.crt": secret}, "the certificates in its Secret cannot be used"},
		"proxy":        {"ServiceAccountToken", map[string]string{"endpoint": at, "token": secret, "proxy-url": "ftp://" + secret}, "the proxy-url in its Secret is no address"},
		"plugin":       {"Dynamic", map[string]string{"endpoint": at, "exec": secret}, `its credential is of type "Dynamic", which only cluster-gateway uses`},
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
	if _, err := configOf(s); err == nil || !strings.Contains(err.Error(), "only cluster-gateway reaches") {
		t.Errorf("got %v", err)
	}
}

// FuzzSecret finds no Secret that is used although it leads nowhere, or whose error
// tells what it holds.
func FuzzSecret(f *testing.F) {
	f.Add("ServiceAccountToken", "https://example.com", "", "", "", "token-of-a-user", "")
	f.Add("X509Certificate", "http://[::1]:80/base", "ca", "crt", "key", "", "socks5://proxy:1080")
	f.Fuzz(func(t *testing.T, kind, endpoint, ca, crt, key, token, proxy string) {
		s := secretOf(kind, map[string]string{
			"endpoint": endpoint, "ca.crt": ca, "tls.crt": crt, "tls.key": key, "token": token, "proxy-url": proxy,
		})
		config, err := configOf(s)
		if err == nil {
			if _, _, err := rest.DefaultServerUrlFor(config); err != nil {
				t.Errorf("endpoint %q is used: %v", endpoint, err)
			}
			if config.BearerToken == "" && len(config.CertData) == 0 {
				t.Error("nobody logs in")
			}
			return
		}
		for _, held := range []string{key, token} {
			if len(held) > 20 && strings.Contains(err.Error(), held) {
				t.Errorf("the error tells %q", held)
			}
		}
		other := s.DeepCopy()
		other.Data["token"] = append(bytes.Clone(s.Data["token"]), 'x')
		if fingerprint(s) == fingerprint(other) {
			t.Error("another token is not noticed")
		}
	})
}

func TestAway(t *testing.T) {
	a := &UnavailableError{Clusters: map[string]error{"b": http.ErrServerClosed, "": http.ErrHandlerTimeout, "a": http.ErrBodyNotAllowed}}
	want := `which clusters are joined is not known: ` + http.ErrHandlerTimeout.Error() + `; cluster "a": ` + http.ErrBodyNotAllowed.Error() + `; cluster "b": ` + http.ErrServerClosed.Error()
	if a.Error() != want {
		t.Errorf("got %s", a)
	}
}
