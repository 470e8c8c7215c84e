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
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxAcceptedTokens limits the accepted tokens that are cached.
const maxAcceptedTokens = 1000

// tokenReviewer authenticates Kubernetes tokens with the API server. It caches
// accepted tokens for TokenReviewTTL. It is safe for concurrent use.
type tokenReviewer struct {
	client client.Client
	clock  clock.PassiveClock

	mu sync.Mutex
	// accepted maps a hash of token, audiences and users to the end of its TTL.
	accepted map[string]time.Time
}

// tokenReviewAuth accepts requests whose bearer token is a Kubernetes token for one
// of audiences and, if users is not empty, of one of users.
func tokenReviewAuth(reviewer *tokenReviewer, audiences, users []string) authenticator {
	return authenticator{
		checkHeaders: func(r *http.Request) error {
			token, ok := bearerToken(r)
			if !ok {
				return unauthorized("missing token")
			}
			return reviewer.review(r.Context(), token, audiences, users)
		},
		challenge: "Bearer", deliveryHeader: defaultDeliveryHeader, secretHeader: authorizationHeader,
	}
}

// review returns errUnauthorized for a token that is not accepted; other errors mean
// that the API server could not review it.
func (v *tokenReviewer) review(ctx context.Context, token string, audiences, users []string) error {
	if v.client == nil {
		return errors.New("review token: no cluster")
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %s", audiences, users, token))
	key := string(sum[:])
	if v.isAccepted(key) {
		return nil
	}
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}}
	if err := v.client.Create(ctx, review); err != nil {
		return fmt.Errorf("review token: %w", err)
	}
	status := review.Status
	switch {
	case !status.Authenticated:
		return unauthorized("token: %s", status.Error)
	// An API server that does not support audiences returns none.
	case !slices.ContainsFunc(status.Audiences, func(a string) bool { return slices.Contains(audiences, a) }):
		return unauthorized("token is not for audiences %q", audiences)
	case len(users) > 0 && !slices.Contains(users, status.User.Username):
		return unauthorized("user %q is not allowed", status.User.Username)
	}
	v.accept(key)
	return nil
}

func (v *tokenReviewer) isAccepted(key string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.clock.Now().Before(v.accepted[key])
}

func (v *tokenReviewer) accept(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.accepted) >= maxAcceptedTokens {
		clear(v.accepted)
	}
	v.accepted[key] = v.clock.Now().Add(TokenReviewTTL)
}
