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

package app

import (
	"net/http"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/transport"
)

// readTokenAgain makes clients with cfg read their bearer token again after the API server
// has refused it, so that the next attempt has the token that was rotated meanwhile.
// client-go reads a token file once a minute, and the token of a kubeconfig only once.
// newLoader returns a loader that reads the kubeconfig anew.
func readTokenAgain(cfg *rest.Config, newLoader func() clientcmd.ClientConfig) {
	switch {
	case cfg.BearerTokenFile != "":
		source := transport.NewCachedFileTokenSource(cfg.BearerTokenFile)
		cfg.BearerToken, cfg.BearerTokenFile = "", ""
		cfg.Wrap(transport.ResettableTokenSourceWrapTransport(source))
	case cfg.BearerToken != "":
		token := &rotatingToken{token: cfg.BearerToken, read: func() string {
			if now, err := newLoader().ClientConfig(); err == nil {
				return now.BearerToken
			}
			return ""
		}}
		cfg.BearerToken = ""
		cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return tokenTransport{next, token} })
	}
}

// rotatingToken is a bearer token. It is safe for concurrent use.
type rotatingToken struct {
	// read returns the present token, or "" if there is none.
	read func() string

	mu      sync.Mutex
	token   string
	refused bool
}

// current returns the token. After a refusal it reads it again.
func (t *rotatingToken) current() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused {
		if token := t.read(); token != "" {
			t.token = token
		}
		t.refused = false
	}
	return t.token
}

// refuse notes that the API server has refused token.
func (t *rotatingToken) refuse(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = t.refused || t.token == token
}

// tokenTransport sends requests with a rotatingToken.
type tokenTransport struct {
	next  http.RoundTripper
	token *rotatingToken
}

// RoundTrip implements http.RoundTripper. Requests with credentials of their own keep them.
func (t tokenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "" {
		return t.next.RoundTrip(r)
	}
	token := t.token.current()
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := t.next.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusUnauthorized {
		t.token.refuse(token)
	}
	return response, err
}
