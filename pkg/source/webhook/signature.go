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
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// timedSignature describes a signature of a timestamp and the body.
type timedSignature struct {
	// header holds the signature.
	header string
	// parse returns the timestamp, and the signatures in hex.
	parse func(r *http.Request) (timestamp string, signatures []string)
	// before and after enclose the timestamp in what is signed; the body follows.
	before, after string
}

// slackSignature is described at https://api.slack.com/authentication/verifying-requests-from-slack.
func slackSignature() timedSignature {
	const header = "X-Slack-Signature"
	return timedSignature{header: header, before: "v0:", after: ":", parse: func(r *http.Request) (string, []string) {
		signature, ok := strings.CutPrefix(r.Header.Get(header), "v0=")
		if !ok {
			return "", nil
		}
		return r.Header.Get(slackHeader), []string{signature}
	}}
}

// stripeSignature is described at https://docs.stripe.com/webhooks#verify-manually.
func stripeSignature() timedSignature {
	const header = "Stripe-Signature"
	return timedSignature{header: header, after: ".", parse: func(r *http.Request) (timestamp string, signatures []string) {
		for part := range strings.SplitSeq(r.Header.Get(header), ",") {
			switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
			case "t":
				timestamp = value
			case "v1":
				signatures = append(signatures, value)
			}
		}
		return timestamp, signatures
	}}
}

// timedAuth accepts requests that are signed as s describes, with HMAC-SHA256 and a
// timestamp within tolerance of now. No header that names the delivery is signed.
func timedAuth(secrets *secretCache, ref secretRef, s timedSignature, tolerance time.Duration) authenticator {
	checkHeaders := func(r *http.Request) error {
		timestamp, signatures := s.parse(r)
		if len(signatures) == 0 {
			return unauthorized("missing signature in %s", s.header)
		}
		return secrets.checkTimestamp("timestamp", timestamp, tolerance)
	}
	checkBody := func(r *http.Request, body []byte) error {
		key, err := secrets.get(r.Context(), ref)
		if err != nil {
			return err
		}
		timestamp, signatures := s.parse(r)
		want := computeMAC(sha256.New, key, []byte(s.before+timestamp+s.after), body)
		for _, text := range signatures {
			if given, err := hex.DecodeString(text); err == nil && hmac.Equal(given, want) {
				return nil
			}
		}
		return unauthorized("wrong signature")
	}
	return authenticator{
		checkHeaders: checkHeaders, checkBody: checkBody,
		challenge: "Signature", deliveryHeader: s.header, secretHeader: s.header, tolerance: tolerance,
		contentID: func(r *http.Request, body []byte) string {
			timestamp, _ := s.parse(r)
			return signedID(r.Context(), timestamp+s.after, body)
		},
	}
}

// bitbucketAuth accepts the signature of Bitbucket Cloud and Data Center.
func bitbucketAuth(secrets *secretCache, ref secretRef) authenticator {
	a := hmacAuth(secrets, ref, hexSHA256("X-Hub-Signature", "sha256="))
	a.typeHeader, a.pingType = "X-Event-Key", "diagnostics:ping"
	return a
}

// basicAuth accepts requests with a user name and the secret as password.
func basicAuth(secrets *secretCache, ref secretRef, username string) authenticator {
	checkPassword := checkSharedSecret(secrets, ref, func(r *http.Request) (string, bool) {
		_, password, ok := r.BasicAuth()
		return password, ok
	})
	return authenticator{
		checkHeaders: func(r *http.Request) error {
			if user, _, ok := r.BasicAuth(); ok && user != username {
				return unauthorized("wrong user name")
			}
			return checkPassword(r)
		},
		challenge: "Basic", deliveryHeader: defaultDeliveryHeader, secretHeader: authorizationHeader,
	}
}
