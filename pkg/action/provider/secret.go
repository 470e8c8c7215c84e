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
	"net/url"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// secretReader reads Secrets of one namespace for one call, each once, and knows what
// must not be said.
type secretReader struct {
	client    client.Client
	namespace string
	cache     map[string]map[string]string
	values    []string
}

func newSecretReader(o Options) *secretReader {
	v := &secretReader{client: o.Client, namespace: o.Namespace, cache: map[string]map[string]string{}}
	if v.namespace == "" {
		v.namespace = metav1.NamespaceDefault
	}
	return v
}

// lookup returns what the parameter at path, `{name, key, prefix?, suffix?}`, refers
// to.
func (v *secretReader) lookup(ctx context.Context, path string, param any) (string, error) {
	ref, _ := param.(map[string]any)
	name, key := str(ref, "name"), str(ref, "key")
	if name == "" || key == "" {
		return "", &ParamError{Path: path, Message: "needs the name and key of a Secret"}
	}
	data, err := v.read(ctx, name)
	if err != nil {
		return "", err
	}
	value, ok := data[key]
	if !ok {
		return "", &ParamError{Path: path, Message: fmt.Sprintf("refers to Secret %s, which has no key %q", name, key)}
	}
	value = strings.TrimSpace(value)
	v.values = append(v.values, value)
	return str(ref, "prefix") + value + str(ref, "suffix"), nil
}

func (v *secretReader) read(ctx context.Context, name string) (map[string]string, error) {
	if data, ok := v.cache[name]; ok {
		return data, nil
	}
	secret := &unstructured.Unstructured{}
	secret.SetAPIVersion("v1")
	secret.SetKind("Secret")
	if err := v.client.Get(ctx, client.ObjectKey{Namespace: v.namespace, Name: name}, secret); err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", v.namespace, name, err)
	}
	encoded, _, _ := unstructured.NestedStringMap(secret.Object, "data")
	data := make(map[string]string, len(encoded))
	for k, e := range encoded {
		b, err := base64.StdEncoding.DecodeString(e)
		if err != nil {
			return nil, fmt.Errorf("read Secret %s/%s: key %q: not base64", v.namespace, name, k)
		}
		data[k] = string(b)
	}
	v.cache[name] = data
	return data, nil
}

// tlsConfig returns the configuration that a Secret holds. There is none without all of
// it: what cannot be used is an error.
func (v *secretReader) tlsConfig(ctx context.Context, path, name string) (*tls.Config, error) {
	data, err := v.read(ctx, name)
	if err != nil {
		return nil, err
	}
	wrong := func(format string, args ...any) error {
		return &ParamError{Path: path, Message: fmt.Sprintf("refers to Secret %s, ", name) + fmt.Sprintf(format, args...)}
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca := data["ca.crt"]; ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(decodePEM(ca)) {
			return nil, wrong("whose ca.crt holds no certificate")
		}
	}
	for _, names := range [][2]string{{"tls.crt", "tls.key"}, {"client.crt", "client.key"}} {
		cert, key := data[names[0]], data[names[1]]
		if cert == "" && key == "" {
			continue
		}
		pair, err := tls.X509KeyPair(decodePEM(cert), decodePEM(key))
		if err != nil {
			return nil, wrong("whose %s and %s are no pair", names[0], names[1])
		}
		config.Certificates = append(config.Certificates, pair)
	}
	if config.RootCAs == nil && len(config.Certificates) == 0 {
		return nil, wrong("which has neither ca.crt nor a certificate with its key")
	}
	return config, nil
}

// decodePEM returns PEM, also where it was encoded once more, as workflow steps want
// it.
func decodePEM(text string) []byte {
	if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil {
		return b
	}
	return []byte(text)
}

// redactError returns err without the secrets that were read. It is still what it was
// to errors.Is and errors.As.
func (v *secretReader) redactError(err error) error {
	if err == nil {
		return nil
	}
	if text := v.redactText(err.Error()); text != err.Error() {
		return &redactedError{text, err}
	}
	return err
}

// redactText returns text without the secrets that were read, also as they are written
// in URLs and JSON, and without what the paths and queries of those that are URLs
// are made of.
func (v *secretReader) redactText(text string) string {
	for _, value := range v.values {
		forms := []string{value, url.QueryEscape(value), url.PathEscape(value), strings.Trim(strconv.Quote(value), `"`)}
		if u, err := url.Parse(value); err == nil && u.Host != "" {
			forms = append(forms, u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery)
			parts := strings.Split(u.Path, "/")
			for _, values := range u.Query() {
				parts = append(parts, values...)
			}
			for _, part := range parts {
				if len(part) >= minTokenLength {
					forms = append(forms, part)
				}
			}
		}
		for _, form := range forms {
			if strings.Trim(form, "/") != "" {
				text = strings.ReplaceAll(text, form, "…")
			}
		}
	}
	return text
}

// minTokenLength is the length from which on a part of a URL may be what makes the
// URL a secret. Shorter ones are words such as "hook".
const minTokenLength = 8

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Unwrap() error { return e.err }
