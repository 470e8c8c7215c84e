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

package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/redact"
)

// secretReader reads Secrets of one namespace for one call, each at most once. It is
// not safe for concurrent use.
type secretReader struct {
	client    client.Client
	namespace string
	cache     map[string]map[string]string
	// values receives the values that were looked up, to redact them. hasRead is set if
	// there are any.
	values  *redact.Values
	hasRead bool
}

func newSecretReader(ctx context.Context, o Options) *secretReader {
	_, values := redact.Begin(ctx)
	s := &secretReader{client: o.Client, namespace: o.Namespace, cache: map[string]map[string]string{}, values: values}
	if s.namespace == "" {
		s.namespace = metav1.NamespaceDefault
	}
	return s
}

// lookup returns the value that the parameter param at path, `{name, key, prefix?,
// suffix?}`, refers to, without leading and trailing white space. A Secret that lacks the
// key is not a ParamError: it may get the key later.
func (s *secretReader) lookup(ctx context.Context, path string, param any) (string, error) {
	ref, _ := param.(map[string]any)
	name, key := str(ref, "name"), str(ref, "key")
	if name == "" || key == "" {
		return "", &ParamError{Path: path, Message: "must have the name and key of a Secret"}
	}
	data, err := s.read(ctx, name)
	if err != nil {
		return "", err
	}
	value, ok := data[key]
	if !ok {
		return "", fmt.Errorf("$params.%s: Secret %s/%s has no key %q", path, s.namespace, name, key)
	}
	value = strings.TrimSpace(value)
	s.hasRead = true
	s.values.Add(value)
	return str(ref, "prefix") + value + str(ref, "suffix"), nil
}

func (s *secretReader) read(ctx context.Context, name string) (map[string]string, error) {
	if data, ok := s.cache[name]; ok {
		return data, nil
	}
	secret := &unstructured.Unstructured{}
	secret.SetAPIVersion("v1")
	secret.SetKind("Secret")
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, secret); err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", s.namespace, name, err)
	}
	encoded, _, _ := unstructured.NestedStringMap(secret.Object, "data")
	data := make(map[string]string, len(encoded))
	for k, e := range encoded {
		b, err := base64.StdEncoding.DecodeString(e)
		if err != nil {
			return nil, fmt.Errorf("read Secret %s/%s: key %q: not base64", s.namespace, name, k)
		}
		data[k] = string(b)
	}
	s.cache[name] = data
	return data, nil
}

// tlsConfig returns the TLS configuration with the CA and client certificates of a
// Secret. It returns an error if any of them is invalid, or there are none.
func (s *secretReader) tlsConfig(ctx context.Context, path, name string) (*tls.Config, error) {
	data, err := s.read(ctx, name)
	if err != nil {
		return nil, err
	}
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("$params.%s: Secret %s/%s: %s", path, s.namespace, name, fmt.Sprintf(format, args...))
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca := data["ca.crt"]; ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(decodePEM(ca)) {
			return nil, invalid("ca.crt contains no certificate")
		}
	}
	for _, names := range [][2]string{{"tls.crt", "tls.key"}, {"client.crt", "client.key"}} {
		cert, key := data[names[0]], data[names[1]]
		if cert == "" && key == "" {
			continue
		}
		pair, err := tls.X509KeyPair(decodePEM(cert), decodePEM(key))
		if err != nil {
			return nil, invalid("%s and %s are not a valid key pair", names[0], names[1])
		}
		config.Certificates = append(config.Certificates, pair)
	}
	if config.RootCAs == nil && len(config.Certificates) == 0 {
		return nil, invalid("contains neither ca.crt nor a certificate with its key")
	}
	return config, nil
}

// decodePEM returns text as PEM. It decodes text that is base64-encoded, as in Secrets of
// workflow steps.
func decodePEM(text string) []byte {
	if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil {
		return b
	}
	return []byte(text)
}
