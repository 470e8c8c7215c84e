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

// maxAcceptedTokens is how many tokens are not asked about again.
const maxAcceptedTokens = 1000

// tokenReviewer asks the API server about tokens.
type tokenReviewer struct {
	client client.Client
	clock  clock.PassiveClock

	mu sync.Mutex
	// accepted is until when tokens, by a hash of them and what is asked, are
	// accepted without asking.
	accepted map[string]time.Time
}

// tokenReviewAuth lets in who bears a token of Kubernetes for one of the audiences; of
// users where there are any.
func tokenReviewAuth(reviews *tokenReviewer, audiences, users []string) authenticator {
	return authenticator{
		checkHeaders: func(r *http.Request) error {
			given, ok := bearerToken(r)
			if !ok {
				return unauthorized("no token")
			}
			return reviews.review(r.Context(), given, audiences, users)
		},
		challenge: "Bearer", deliveryHeader: defaultDeliveryHeader, secretHeader: authorizationHeader,
	}
}

func (v *tokenReviewer) review(ctx context.Context, given string, audiences, users []string) error {
	if v.client == nil {
		return errors.New("review token: no cluster")
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %s", audiences, users, given))
	name := string(sum[:])
	if v.isAccepted(name) {
		return nil
	}
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: given, Audiences: audiences}}
	if err := v.client.Create(ctx, review); err != nil {
		return fmt.Errorf("review token: %w", err)
	}
	status := review.Status
	switch {
	case !status.Authenticated:
		return unauthorized("token: %s", status.Error)
	// An API server that knows no audiences returns none.
	case !slices.ContainsFunc(status.Audiences, func(a string) bool { return slices.Contains(audiences, a) }):
		return unauthorized("token is not for %q", audiences)
	case len(users) > 0 && !slices.Contains(users, status.User.Username):
		return unauthorized("user %q may not call", status.User.Username)
	}
	v.accept(name)
	return nil
}

func (v *tokenReviewer) isAccepted(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.clock.Now().Before(v.accepted[name])
}

func (v *tokenReviewer) accept(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.accepted) >= maxAcceptedTokens {
		clear(v.accepted)
	}
	v.accepted[name] = v.clock.Now().Add(TokenReviewTTL)
}
