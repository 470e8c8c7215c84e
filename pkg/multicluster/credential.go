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
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// The labels, keys and credential types of a Secret that joins a cluster.
const (
	endpointTypeLabel = "cluster.core.oam.dev/cluster-endpoint-type"
	endpointKey       = "endpoint"
	proxyKey          = "proxy-url"

	x509Certificate     = "X509Certificate"
	serviceAccountToken = "ServiceAccountToken"
)

// endpointOf returns the URL of the API server in a Secret.
func endpointOf(s *corev1.Secret) string { return strings.TrimSpace(string(s.Data[endpointKey])) }

// configOf returns the client configuration for the cluster that a Secret joins. As in
// KubeVela, the certificate of the API server is not verified if the Secret has no CA
// certificate. Errors contain no data of the Secret.
func configOf(s *corev1.Secret) (*rest.Config, error) {
	if kind := s.Labels[endpointTypeLabel]; kind != "" && kind != "Const" {
		return nil, fmt.Errorf("endpoint type %q is supported only by cluster-gateway", kind)
	}
	endpoint, err := parseURL(s, endpointKey, "https", "http")
	if err != nil {
		return nil, err
	}
	config := &rest.Config{Host: endpoint.String()}
	for _, key := range []string{corev1.ServiceAccountRootCAKey, "ca"} {
		if ca, ok := s.Data[key]; ok {
			config.CAData = ca
			break
		}
	}
	config.Insecure = len(config.CAData) == 0
	if len(s.Data[proxyKey]) > 0 {
		proxy, err := parseURL(s, proxyKey, "https", "http", "socks5")
		if err != nil {
			return nil, err
		}
		config.Proxy = http.ProxyURL(proxy)
	}
	switch kind := s.Labels[CredentialLabel]; kind {
	case x509Certificate:
		config.CertData, config.KeyData = s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey]
		if len(config.CertData) == 0 || len(config.KeyData) == 0 {
			return nil, fmt.Errorf("%s and %s required in the Secret", corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
		}
	case serviceAccountToken:
		config.BearerToken = strings.TrimSpace(string(s.Data[corev1.ServiceAccountTokenKey]))
		if config.BearerToken == "" {
			return nil, fmt.Errorf("no %s in the Secret", corev1.ServiceAccountTokenKey)
		}
	default:
		return nil, fmt.Errorf("credential type %q is supported only by cluster-gateway", kind)
	}
	if _, err := rest.TLSConfigFor(config); err != nil {
		return nil, errors.New("invalid certificate or key in the Secret")
	}
	return config, nil
}

// parseURL parses the URL at key of a Secret.
func parseURL(s *corev1.Secret, key string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(string(s.Data[key])))
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) || u.RawQuery != "" || u.Fragment != "" || key == endpointKey && u.User != nil {
		return nil, fmt.Errorf("invalid URL in %s of the Secret", key)
	}
	return u, nil
}

// fingerprint returns a hash of everything in a Secret that affects its connection.
func fingerprint(s *corev1.Secret) string {
	h := sha256.New()
	for _, part := range [][]byte{
		[]byte(s.Labels[CredentialLabel]), []byte(s.Labels[endpointTypeLabel]), s.Data[endpointKey], s.Data[proxyKey],
		s.Data[corev1.ServiceAccountRootCAKey], s.Data["ca"],
		s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey], s.Data[corev1.ServiceAccountTokenKey],
	} {
		fmt.Fprintf(h, "%d ", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
