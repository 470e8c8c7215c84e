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
	"time"

	"github.com/kubevela/kube-trigger/pkg/access"
)

// errUnauthorized means that a request's credentials are missing or wrong, which is
// answered with 401. Other errors of an authenticator are answered with 503.
var errUnauthorized = errors.New("unauthorized")

func unauthorized(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUnauthorized}, args...)...)
}

// authenticator authenticates requests and names the headers of their sender.
type authenticator struct {
	// checkHeaders runs before the body is read, checkBody after it. Either may be
	// nil; all that are set must pass.
	checkHeaders func(r *http.Request) error
	checkBody    func(r *http.Request, body []byte) error
	// challenge is the scheme in WWW-Authenticate of a 401 response.
	challenge string
	// deliveryHeader identifies the delivery; typeHeader holds the event's type.
	deliveryHeader, typeHeader string
	// secretHeader and secretQuery hold the secret, and are not part of events.
	secretHeader, secretQuery string
	// pingType is the type of requests by which the sender tests the connection. It does
	// not sign them, and they are no events. Empty if it sends none.
	pingType string
	// tolerance is the maximum difference between a request's signed timestamp and now; 0
	// if requests have none.
	tolerance time.Duration
	// contentID identifies a delivery by what is signed, for a signature that covers no
	// header that names the delivery; otherwise nil.
	contentID func(r *http.Request, body []byte) string
}

const (
	defaultDeliveryHeader = "X-Delivery-Id"
	authorizationHeader   = "Authorization"
)

// allowAll accepts every request.
func allowAll() authenticator { return authenticator{deliveryHeader: defaultDeliveryHeader} }

// checkSharedSecret accepts requests from which extract returns the secret.
func checkSharedSecret(secrets *secretCache, ref secretRef, extract func(*http.Request) (string, bool)) func(*http.Request) error {
	return func(r *http.Request) error {
		given, ok := extract(r)
		if !ok {
			return unauthorized("missing token")
		}
		want, err := secrets.get(r.Context(), ref)
		if err != nil {
			return err
		}
		if !want.equals(given) {
			return unauthorized("wrong token")
		}
		return nil
	}
}

// tokenAuth accepts requests with the secret in a header or, if header is empty, in a
// query parameter.
func tokenAuth(secrets *secretCache, ref secretRef, header, query string) authenticator {
	return authenticator{
		checkHeaders: checkSharedSecret(secrets, ref, func(r *http.Request) (string, bool) {
			given := r.Header.Get(header)
			if header == "" {
				given = queryOf(r).Get(query)
			}
			return given, given != ""
		}),
		challenge: "Token", deliveryHeader: defaultDeliveryHeader, secretHeader: header, secretQuery: query,
	}
}

// gitlabAuth accepts GitLab's secret token. Deliveries are identified by
// Idempotency-Key, because X-Gitlab-Event-UUID is shared by a chain of deliveries.
func gitlabAuth(secrets *secretCache, ref secretRef) authenticator {
	a := tokenAuth(secrets, ref, "X-Gitlab-Token", "")
	a.deliveryHeader, a.typeHeader = "Idempotency-Key", "X-Gitlab-Event"
	return a
}

// bearerAuth accepts requests with the secret as bearer token.
func bearerAuth(secrets *secretCache, ref secretRef) authenticator {
	return authenticator{
		checkHeaders: checkSharedSecret(secrets, ref, access.BearerToken),
		challenge:    "Bearer", deliveryHeader: defaultDeliveryHeader, secretHeader: authorizationHeader,
	}
}
