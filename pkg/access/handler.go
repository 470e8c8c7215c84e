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

package access

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/go-logr/logr"
)

// Handler returns a handler that calls next for requests with the bearer token of a user who
// may use their method, in lower case, on their path. Others get 401 or 403, and 503 while
// the API server cannot be asked.
func (r *Reviewer) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		token, ok := BearerToken(q)
		if !ok {
			unauthorized(w, "a bearer token is needed")
			return
		}
		status, err := r.review(q.Context(), token, strings.ToLower(q.Method), q.URL.Path)
		refused := (*DeniedError)(nil)
		switch {
		case err == nil:
			next.ServeHTTP(w, q)
		case !errors.As(err, &refused):
			logr.FromContextOrDiscard(q.Context()).Error(err, "request not reviewed", "path", q.URL.Path)
			http.Error(w, "the API server could not review the request", http.StatusServiceUnavailable)
		case status == http.StatusForbidden:
			http.Error(w, refused.Reason, http.StatusForbidden)
		default:
			unauthorized(w, "the token is not accepted")
		}
	})
}

func unauthorized(w http.ResponseWriter, message string) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, message, http.StatusUnauthorized)
}

// review returns an error if the user of token may not use verb on path, and the status for
// a *DeniedError.
func (r *Reviewer) review(ctx context.Context, token, verb, path string) (status int, err error) {
	user, err := r.Authenticate(ctx, token)
	if err != nil {
		return http.StatusUnauthorized, err
	}
	return http.StatusForbidden, r.Authorize(ctx, user, verb, path)
}
