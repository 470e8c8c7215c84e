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

package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// RequireClient returns a copy of config that accepts only connections whose client
// presents a certificate that an authority in file, a PEM bundle, has signed for client
// authentication. Other connections fail at the handshake. It returns an error if file has
// no certificate.
//
// The file is read at each handshake, so that a replaced one is used at once: API servers
// keep their connections. While it cannot be read, all handshakes fail.
func RequireClient(config *tls.Config, file string) (*tls.Config, error) {
	if _, err := readAuthorities(file); err != nil {
		return nil, err
	}
	base := config.Clone()
	config = base.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		authorities, err := readAuthorities(file)
		if err != nil {
			return nil, err
		}
		c := base.Clone()
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, authorities
		return c, nil
	}
	return config, nil
}

func readAuthorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read client authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read client authorities: %s has no certificate in PEM", file)
	}
	return pool, nil
}
