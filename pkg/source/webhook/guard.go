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

// errUnauthorized says that a call has not shown that it may: 401. Every other error
// says that this could not be decided: 503.
var errUnauthorized = errors.New("denied")

func unauthorized(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUnauthorized}, args...)...)
}

// authenticator decides who may call.
type authenticator struct {
	// checkHeaders judges the headers, and late the body too; both where they are set.
	checkHeaders func(r *http.Request) error
	checkBody    func(r *http.Request, body []byte) error
	// challenge is the scheme that an answer of 401 asks for.
	challenge string
	// deliveryHeader is the header that names the delivery, type the one that says what
	// happened.
	deliveryHeader, typeHeader string
	// secretHeader and query hold the secret, and are not shown to anybody.
	secretHeader, secretQuery string
}

const (
	defaultDeliveryHeader = "X-Delivery-Id"
	authorizationHeader   = "Authorization"
)

// allowAll lets everybody in.
func allowAll() authenticator { return authenticator{deliveryHeader: defaultDeliveryHeader} }

// checkSharedSecret lets in who has the secret, which of finds in a call.
func checkSharedSecret(keys *secretCache, ref secretRef, extract func(*http.Request) (string, bool)) func(*http.Request) error {
	return func(r *http.Request) error {
		given, ok := extract(r)
		if !ok {
			return unauthorized("no token")
		}
		want, err := keys.get(r.Context(), ref)
		if err != nil {
			return err
		}
		if !want.equals(given) {
			return unauthorized("wrong token")
		}
		return nil
	}
}

// token is a secret in a header, or in a parameter of the URL.
func token(keys *secretCache, ref secretRef, header, query string) authenticator {
	return authenticator{
		checkHeaders: checkSharedSecret(keys, ref, func(r *http.Request) (string, bool) {
			given := r.Header.Get(header)
			if header == "" {
				given = r.URL.Query().Get(query)
			}
			return given, given != ""
		}),
		challenge: "Token", deliveryHeader: defaultDeliveryHeader, secretHeader: header, secretQuery: query,
	}
}

// gitlabAuth is the secret token of GitLab. Its deliveries are named by their
// idempotency key; X-Gitlab-Event-UUID is that of a chain of them.
func gitlabAuth(keys *secretCache, ref secretRef) authenticator {
	g := token(keys, ref, "X-Gitlab-Token", "")
	g.deliveryHeader, g.typeHeader = "Idempotency-Key", "X-Gitlab-Event"
	return g
}

// bearerAuth is a secret in the header Authorization.
func bearerAuth(keys *secretCache, ref secretRef) authenticator {
	return authenticator{checkHeaders: checkSharedSecret(keys, ref, bearerToken), challenge: "Bearer", deliveryHeader: defaultDeliveryHeader, secretHeader: authorizationHeader}
}

// bearerToken returns the token that a call bears.
func bearerToken(r *http.Request) (string, bool) {
	const scheme = "bearer "
	text := r.Header.Get(authorizationHeader)
	if len(text) <= len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return "", false
	}
	return text[len(scheme):], true
}
