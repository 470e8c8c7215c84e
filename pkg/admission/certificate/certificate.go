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

// Package certificate keeps the certificate of a server that the API server calls.
//
// A Keeper makes it, signed by an authority of its own whose key it throws away,
// keeps it in a Secret, replaces it before it expires, and tells the API server
// whom to trust. A Serving holds what is to be served at the moment, of a
// Keeper's Secret or of files that somebody else replaces. The API server trusts
// a new certificate before it is served, and the one before until it expires.
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
	// Lifetime is how long a certificate is valid.
	Lifetime = 90 * 24 * time.Hour
	// RenewBefore is how long before its end it is replaced.
	RenewBefore = 30 * 24 * time.Hour
	// skew is how far clocks may be behind.
	skew = time.Hour
	// maxCAs bounds the authorities that are trusted at the same time.
	maxCAs = 3
	// serialBits is what RFC 5280 allows of a serial number.
	serialBits = 159
)

// keyPair is a certificate, its key, and the authorities to trust, in PEM.
type keyPair struct{ caBundle, certificate, key []byte }

// newKeyPair makes a certificate for names and addresses. It is to be trusted with
// those authorities of before that have not expired.
func newKeyPair(now time.Time, names []string, oldCABundle []byte) (keyPair, error) {
	authority, err := newTemplate(now, "kube-trigger-webhook-ca")
	if err != nil {
		return keyPair{}, fmt.Errorf("make certificate: %w", err)
	}
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage = x509.KeyUsageCertSign
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("make certificate: %w", err)
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, signer.Public(), signer)
	if err != nil {
		return keyPair{}, fmt.Errorf("make certificate: %w", err)
	}
	leaf, err := newTemplate(now, names[0])
	if err != nil {
		return keyPair{}, fmt.Errorf("make certificate: %w", err)
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
		return keyPair{}, fmt.Errorf("make certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), signer)
	if err != nil {
		return keyPair{}, fmt.Errorf("make certificate: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return keyPair{}, fmt.Errorf("make certificate: %w", err)
	}
	authorities := encodePEM("CERTIFICATE", root)
	for n, old := range parseCertificates(oldCABundle) {
		if n+1 < maxCAs && now.Before(old.NotAfter) {
			authorities = append(authorities, encodePEM("CERTIFICATE", old.Raw)...)
		}
	}
	return keyPair{authorities, encodePEM("CERTIFICATE", der), encodePEM("PRIVATE KEY", encoded)}, nil
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

// parseCertificates returns the certificates of text, without what is none.
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

// needsRenewal returns why p has to be replaced, nil where it need not be.
func (p keyPair) needsRenewal(now time.Time, names []string) error {
	if len(p.certificate) == 0 {
		return errors.New("there is none")
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
	if left := leaf.NotAfter.Sub(now); left <= RenewBefore {
		return fmt.Errorf("it expires in %s", left.Round(time.Minute))
	}
	return nil
}
