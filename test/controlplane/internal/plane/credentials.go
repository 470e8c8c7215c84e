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

package plane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// credentials are the certificates and tokens of one control plane.
type credentials struct {
	// Paths of files.
	ca, cert, key     string // of the API server
	serviceAccountKey string
	tokens            string // static tokens, in the CSV format of the API server

	admin, controllerManager string // bearer tokens
	caPEM                    []byte
}

// issue creates credentials, and writes them to dir. They expire after a year.
func issue(dir string) (credentials, error) {
	c := credentials{
		ca:                filepath.Join(dir, "ca.crt"),
		cert:              filepath.Join(dir, "apiserver.crt"),
		key:               filepath.Join(dir, "apiserver.key"),
		serviceAccountKey: filepath.Join(dir, "serviceaccount.key"),
		tokens:            filepath.Join(dir, "tokens.csv"),
		admin:             rand.Text(),
		controllerManager: rand.Text(),
	}
	err := c.certificates()
	if err == nil {
		_, err = newKey(c.serviceAccountKey)
	}
	if err == nil {
		err = os.WriteFile(c.tokens, fmt.Appendf(nil, "%s,admin,admin,system:masters\n%s,system:kube-controller-manager,controller-manager,\n",
			c.admin, c.controllerManager), 0o600)
	}
	if err != nil {
		return credentials{}, fmt.Errorf("issue credentials: %w", err)
	}
	return c, nil
}

// certificates creates a certificate authority, and a serving certificate for the API
// server.
func (c *credentials) certificates() error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := newKey(c.key)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "kube-trigger test control plane"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "kube-apiserver"},
		NotBefore:    ca.NotBefore,
		NotAfter:     ca.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// 10.96.0.1 is the cluster IP of the Service kubernetes.
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	c.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	return errors.Join(
		os.WriteFile(c.ca, c.caPEM, 0o644),
		os.WriteFile(c.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: serverDER}), 0o644),
	)
}

// newKey creates a key and writes it to path.
func newKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}
