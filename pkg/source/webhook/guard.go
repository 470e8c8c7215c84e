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

package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// errDenied says that a call has not shown that it may: 401. Every other error
// says that this could not be decided: 503.
var errDenied = errors.New("denied")

func denied(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errDenied}, args...)...)
}

// guard decides who may call.
type guard struct {
	// early judges the headers, and late the body too; both where they are set.
	early func(r *http.Request) error
	late  func(r *http.Request, body []byte) error
	// challenge is the scheme that an answer of 401 asks for.
	challenge string
	// delivery is the header that names the delivery, type the one that says what
	// happened.
	delivery, kind string
	// header and query hold the secret, and are not shown to anybody.
	header, query string
}

const (
	defaultDelivery = "X-Delivery-Id"
	authorization   = "Authorization"
)

// open lets everybody in.
func open() guard { return guard{delivery: defaultDelivery} }

// shared lets in who has the secret, which of finds in a call.
func shared(keys *keyring, ref reference, of func(*http.Request) (string, bool)) func(*http.Request) error {
	return func(r *http.Request) error {
		given, ok := of(r)
		if !ok {
			return denied("no token")
		}
		want, err := keys.get(r.Context(), ref)
		if err != nil {
			return err
		}
		if !want.equals(given) {
			return denied("wrong token")
		}
		return nil
	}
}

// token is a secret in a header, or in a parameter of the URL.
func token(keys *keyring, ref reference, header, query string) guard {
	return guard{
		early: shared(keys, ref, func(r *http.Request) (string, bool) {
			given := r.Header.Get(header)
			if header == "" {
				given = r.URL.Query().Get(query)
			}
			return given, given != ""
		}),
		challenge: "Token", delivery: defaultDelivery, header: header, query: query,
	}
}

// gitlab is the secret token of GitLab. Its deliveries are named by their
// idempotency key; X-Gitlab-Event-UUID is that of a chain of them.
func gitlab(keys *keyring, ref reference) guard {
	g := token(keys, ref, "X-Gitlab-Token", "")
	g.delivery, g.kind = "Idempotency-Key", "X-Gitlab-Event"
	return g
}

// bearer is a secret in the header Authorization.
func bearer(keys *keyring, ref reference) guard {
	return guard{early: shared(keys, ref, bearerToken), challenge: "Bearer", delivery: defaultDelivery, header: authorization}
}

// bearerToken returns the token that a call bears.
func bearerToken(r *http.Request) (string, bool) {
	const scheme = "bearer "
	text := r.Header.Get(authorization)
	if len(text) <= len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return "", false
	}
	return text[len(scheme):], true
}
