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
	"net/http"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/access"
)

// tokenReviewAuth accepts requests whose bearer token is a Kubernetes token for one
// of audiences and, if users is not empty, of one of users.
func tokenReviewAuth(reviewer *access.Reviewer, audiences, users []string) authenticator {
	return authenticator{
		checkHeaders: func(r *http.Request) error {
			token, ok := access.BearerToken(r)
			if !ok {
				return unauthorized("missing token")
			}
			user, err := reviewer.Authenticate(r.Context(), token, audiences...)
			var denied *access.DeniedError
			if errors.As(err, &denied) {
				return unauthorized("%s", denied.Reason)
			}
			if err != nil {
				return err
			}
			if len(users) > 0 && !slices.Contains(users, user.Username) {
				return unauthorized("user %q is not allowed", user.Username)
			}
			return nil
		},
		challenge: "Bearer", deliveryHeader: defaultDeliveryHeader, secretHeader: authorizationHeader,
	}
}
