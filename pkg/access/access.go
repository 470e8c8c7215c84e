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

// Package access authenticates and authorizes callers with the API server: by
// TokenReviews and SubjectAccessReviews, whose positive results are cached for TTL.
//
// It fails closed: a caller that could not be reviewed has no access.
package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// TTL is how long an accepted token, and the right of its user, are cached. A token or
	// right that is withdrawn counts for so long.
	TTL = 10 * time.Second
	// maxEntries limits the results that a cache holds. When it is full, it is emptied.
	maxEntries = 1000
	// maxReviews limits the concurrent requests to the API server: anybody can send tokens
	// that are not cached. Others wait.
	maxReviews = 4
	// reviewTimeout limits the time of a request to the API server, including the wait.
	reviewTimeout = 5 * time.Second
)

// DeniedError is the API server's answer to a caller without access. Other errors mean that
// it could not be asked.
type DeniedError struct {
	// Reason says why, without the token.
	Reason string
}

func (e *DeniedError) Error() string { return e.Reason }

func denied(format string, args ...any) error { return &DeniedError{fmt.Sprintf(format, args...)} }

// Reviewer asks the API server about tokens and rights. It is safe for concurrent use.
type Reviewer struct {
	client  client.Client
	users   cache[authenticationv1.UserInfo]
	allowed cache[struct{}]
	// slots has an element for each request to the API server.
	slots chan struct{}
}

// NewReviewer returns a Reviewer. Its client needs the right to create TokenReviews, and
// SubjectAccessReviews for Authorize. If it is nil, every review fails.
func NewReviewer(c client.Client, clock clock.PassiveClock) *Reviewer {
	return &Reviewer{
		client: c, slots: make(chan struct{}, maxReviews),
		users: cache[authenticationv1.UserInfo]{clock: clock}, allowed: cache[struct{}]{clock: clock},
	}
}

// Authenticate returns the user of a token for one of audiences; none means those of the API
// server. It returns a *DeniedError for a token that is not accepted.
func (r *Reviewer) Authenticate(ctx context.Context, token string, audiences ...string) (authenticationv1.UserInfo, error) {
	key := hash(fmt.Sprintf("%q %s", audiences, token))
	if user, ok := r.users.get(key); ok {
		return user, nil
	}
	var none authenticationv1.UserInfo
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}}
	if err := r.create(ctx, review); err != nil {
		return none, fmt.Errorf("review token: %w", err)
	}
	status := review.Status
	switch {
	case !status.Authenticated:
		return none, denied("token: %s", status.Error)
	// An API server that does not support audiences returns none.
	case len(audiences) > 0 && !slices.ContainsFunc(status.Audiences, func(a string) bool { return slices.Contains(audiences, a) }):
		return none, denied("token is not for audiences %q", audiences)
	}
	r.users.put(key, status.User)
	return status.User, nil
}

// Authorize returns a *DeniedError if user may not use verb, such as "get", on the path of a
// non-resource URL, such as "/metrics".
func (r *Reviewer) Authorize(ctx context.Context, user authenticationv1.UserInfo, verb, path string) error {
	key := hash(fmt.Sprintf("%q %q %s", verb, path, user.String()))
	if _, ok := r.allowed.get(key); ok {
		return nil
	}
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range user.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: verb},
	}}
	if err := r.create(ctx, review); err != nil {
		return fmt.Errorf("review access: %w", err)
	}
	if !review.Status.Allowed {
		return denied("user %q cannot %s %s", user.Username, verb, path)
	}
	r.allowed.put(key, struct{}{})
	return nil
}

func (r *Reviewer) create(ctx context.Context, review client.Object) error {
	if r.client == nil {
		return errors.New("no cluster")
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return r.client.Create(ctx, review)
}

// BearerToken returns the bearer token of a request.
func BearerToken(r *http.Request) (token string, ok bool) {
	const scheme = "bearer "
	text := r.Header.Get("Authorization")
	if len(text) <= len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return "", false
	}
	return text[len(scheme):], true
}

// cache holds values for TTL, by the hash of what they belong to. It is safe for concurrent
// use.
type cache[V any] struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	entries map[[sha256.Size]byte]entry[V]
}

type entry[V any] struct {
	value V
	end   time.Time
}

func hash(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

func (c *cache[V]) get(key [sha256.Size]byte) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok || !c.clock.Now().Before(e.end) {
		return value, false
	}
	return e.value, true
}

func (c *cache[V]) put(key [sha256.Size]byte, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= maxEntries {
		c.entries = map[[sha256.Size]byte]entry[V]{}
	}
	c.entries[key] = entry[V]{value, c.clock.Now().Add(TTL)}
}
