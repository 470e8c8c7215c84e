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

// Package certificate rotates and serves the certificate of an admission webhook.
//
// A Rotator creates a certificate, signed by a new CA whose key it discards, stores it
// in a Secret, replaces it before it expires, and writes the CA bundle of the
// ValidatingWebhookConfiguration. A Source serves the certificate from the Rotator's
// Secret, or from files that another component rotates. The API server trusts a new
// certificate before it is served, and the previous one until it expires.
package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

const (
	// Lifetime is the validity of a certificate.
	Lifetime = 90 * 24 * time.Hour
	// RenewBefore is how long before it expires a certificate is replaced.
	RenewBefore = 30 * 24 * time.Hour
	// skew is the tolerated clock skew.
	skew = time.Hour
	// maxCAs is the maximum number of CAs in the bundle.
	maxCAs = 3
	// serialBits is the length of a serial number; RFC 5280 allows 20 octets.
	serialBits = 159
)

// keyPair is a certificate, its private key and the CA bundle to trust, in PEM.
type keyPair struct{ caBundle, certificate, key []byte }

// newKeyPair creates a certificate for DNS names and IP addresses. Its CA bundle holds
// the new CA, followed by those of oldCABundle that have not expired.
func newKeyPair(now time.Time, names []string, oldCABundle []byte) (keyPair, error) {
	ca, err := newTemplate(now, "kube-trigger-webhook-ca")
	if err != nil {
		return keyPair{}, fmt.Errorf("create certificate: %w", err)
	}
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("create certificate: %w", err)
	}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return keyPair{}, fmt.Errorf("create certificate: %w", err)
	}
	leaf, err := newTemplate(now, names[0])
	if err != nil {
		return keyPair{}, fmt.Errorf("create certificate: %w", err)
	}
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, n)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("create certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return keyPair{}, fmt.Errorf("create certificate: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return keyPair{}, fmt.Errorf("create certificate: %w", err)
	}
	caBundle := encodePEM("CERTIFICATE", root)
	for n, old := range parseCertificates(oldCABundle) {
		if n+1 < maxCAs && now.Before(old.NotAfter) {
			caBundle = append(caBundle, encodePEM("CERTIFICATE", old.Raw)...)
		}
	}
	return keyPair{caBundle, encodePEM("CERTIFICATE", der), encodePEM("PRIVATE KEY", encoded)}, nil
}

func newTemplate(now time.Time, name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-skew), NotAfter: now.Add(Lifetime),
	}, nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// parseCertificates returns the certificates in text, and skips invalid ones.
func parseCertificates(text []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return all
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, c)
		}
	}
}

// needsRenewal returns the reason why p has to be replaced, or nil.
func (p keyPair) needsRenewal(now time.Time, names []string) error {
	if len(p.certificate) == 0 {
		return errors.New("no certificate")
	}
	if _, err := tls.X509KeyPair(p.certificate, p.key); err != nil {
		return err
	}
	leaf := parseCertificates(p.certificate)[0]
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.caBundle)
	for _, n := range names {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: n, Roots: roots, CurrentTime: now}); err != nil {
			return err
		}
	}
	if remaining := leaf.NotAfter.Sub(now); remaining <= RenewBefore {
		return fmt.Errorf("expires in %s", remaining.Round(time.Minute))
	}
	return nil
}
