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
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/access"
)

const (
	// oidcKeysTTL is how long the keys of an issuer are used after they were read.
	oidcKeysTTL = time.Hour
	// oidcKeysRetry is the minimum time between two reads of an issuer's keys. Anybody can
	// cause a read, by a token with an unknown key.
	oidcKeysRetry = 30 * time.Second
	// oidcFetchTimeout limits the time to read the keys of an issuer.
	oidcFetchTimeout = 5 * time.Second
	// oidcLeeway is the tolerated difference between the clocks of issuer and receiver.
	oidcLeeway = time.Minute
	// minRSABits is the size of a key below which it is ignored.
	minRSABits = 2048
)

// oidcToken are the claims of an ID token.
type oidcToken struct {
	Issuer        string       `json:"iss"`
	Subject       string       `json:"sub"`
	Audience      oneOrMore    `json:"aud"`
	Email         string       `json:"email"`
	EmailVerified bool         `json:"email_verified"`
	Expiry        *json.Number `json:"exp"`
	NotBefore     *json.Number `json:"nbf"`
}

// oneOrMore is a list in JSON, or its only element.
type oneOrMore []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *oneOrMore) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*l = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// oidcVerifier verifies ID tokens of OpenID Connect that are signed with RS256, which all
// issuers support. It is safe for concurrent use.
type oidcVerifier struct {
	// fetch may be nil: then no token can be verified.
	fetch FetchFunc
	clock clock.PassiveClock

	// reading is held while the keys of an issuer are read: one issuer at a time.
	reading sync.Mutex
	mu      sync.Mutex
	issuers map[string]issuerKeys
}

// issuerKeys are the public keys of an issuer, by their ID. A read that fails does not drop
// them.
type issuerKeys struct {
	keys   map[string]*rsa.PublicKey
	readAt time.Time
	// err is the error of the last read, at triedAt.
	err     error
	triedAt time.Time
}

func newOIDCVerifier(fetch FetchFunc, c clock.PassiveClock) *oidcVerifier {
	return &oidcVerifier{fetch: fetch, clock: c, issuers: map[string]issuerKeys{}}
}

// verify returns the claims of a token, or errUnauthorized unless issuer has issued it for
// one of audiences and it is valid now.
func (v *oidcVerifier) verify(ctx context.Context, issuer string, audiences []string, token string) (oidcToken, error) {
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Critical  []any  `json:"crit"`
	}
	var claims oidcToken
	parts := strings.Split(token, ".")
	if len(parts) != 3 || decodePart(parts[0], &header) != nil || decodePart(parts[1], &claims) != nil {
		return claims, unauthorized("not an ID token")
	}
	if header.Algorithm != "RS256" || header.Critical != nil {
		return claims, unauthorized("the token is signed with %q, not RS256, or has critical extensions", header.Algorithm)
	}
	if claims.Issuer != issuer {
		return claims, unauthorized("the token's issuer is %q, not %q", claims.Issuer, issuer)
	}
	key, err := v.key(ctx, issuer, header.KeyID)
	if err != nil {
		return claims, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
		return claims, unauthorized("wrong signature of the token")
	}
	if !slices.ContainsFunc(claims.Audience, func(a string) bool { return slices.Contains(audiences, a) }) {
		return claims, unauthorized("the token is for another audience: %q", claims.Audience)
	}
	return claims, claims.checkTime(v.clock.Now())
}

// decodePart decodes a part of a token.
func decodePart(text string, into any) error {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	return json.Unmarshal(decoded, into)
}

// checkTime returns errUnauthorized unless the token is valid at now, within oidcLeeway.
func (t oidcToken) checkTime(now time.Time) error {
	seconds := func(n *json.Number) time.Time {
		f, _ := n.Float64() // a number that is too large is no time: 0
		return time.Unix(int64(f), 0)
	}
	switch {
	case t.Expiry == nil:
		return unauthorized("the token does not expire")
	case now.Add(-oidcLeeway).After(seconds(t.Expiry)):
		return unauthorized("the token has expired")
	case t.NotBefore != nil && now.Add(oidcLeeway).Before(seconds(t.NotBefore)):
		return unauthorized("the token is not valid yet")
	}
	return nil
}

// key returns a key of an issuer. It reads the issuer's keys if it does not know the key. That
// delays no caller whose key is known, and does not end with the caller that caused it: else one
// that gives up in time could cause any number of reads.
func (v *oidcVerifier) key(ctx context.Context, issuer, id string) (*rsa.PublicKey, error) {
	if key := v.known(issuer).key(id, v.clock.Now()); key != nil {
		return key, nil
	}
	v.reading.Lock()
	defer v.reading.Unlock()
	known := v.known(issuer)
	if known.triedAt.IsZero() || v.clock.Since(known.triedAt) >= oidcKeysRetry {
		keys, err := v.read(context.WithoutCancel(ctx), issuer)
		known.err, known.triedAt = err, v.clock.Now()
		if err == nil {
			known.keys, known.readAt = keys, known.triedAt
		}
		v.mu.Lock()
		v.issuers[issuer] = known
		v.mu.Unlock()
	}
	if key := known.key(id, v.clock.Now()); key != nil {
		return key, nil
	}
	if known.err != nil {
		return nil, fmt.Errorf("read the keys of %s: %w", issuer, known.err)
	}
	return nil, unauthorized("the issuer has no key %q", id)
}

func (v *oidcVerifier) known(issuer string) issuerKeys {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.issuers[issuer]
}

// key returns a key that can be used at now, or nil.
func (k issuerKeys) key(id string, now time.Time) *rsa.PublicKey {
	if now.Sub(k.readAt) >= oidcKeysTTL {
		return nil
	}
	return k.keys[id]
}

// read reads the keys of an issuer, as described at
// https://openid.net/specs/openid-connect-discovery-1_0.html.
func (v *oidcVerifier) read(ctx context.Context, issuer string) (map[string]*rsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, oidcFetchTimeout)
	defer cancel()
	var discovery struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := v.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", &discovery); err != nil {
		return nil, err
	}
	if discovery.Issuer != issuer || !strings.HasPrefix(discovery.Keys, "https://") {
		return nil, errors.New("the openid-configuration is of another issuer, or has no https URL as jwks_uri")
	}
	var set struct {
		Keys []struct {
			Type string `json:"kty"`
			ID   string `json:"kid"`
			N    string `json:"n"`
			E    string `json:"e"`
		} `json:"keys"`
	}
	if err := v.get(ctx, discovery.Keys, &set); err != nil {
		return nil, err
	}
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		n, errN := base64.RawURLEncoding.DecodeString(k.N)
		e, errE := base64.RawURLEncoding.DecodeString(k.E)
		key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if k.Type == "RSA" && errN == nil && errE == nil && key.N.BitLen() >= minRSABits && len(e) <= 4 {
			keys[k.ID] = key
		}
	}
	return keys, nil
}

func (v *oidcVerifier) get(ctx context.Context, url string, into any) error {
	if v.fetch == nil {
		return errors.New("no connections")
	}
	status, body, err := v.fetch(ctx, url)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("status %d", status)
	}
	return json.Unmarshal(body, into)
}

// oidcAuth accepts requests whose bearer token is an ID token of issuer for one of
// audiences and one of users, who are verified email addresses or subjects.
func oidcAuth(v *oidcVerifier, issuer string, audiences, users []string) authenticator {
	return authenticator{
		checkHeaders: func(r *http.Request) error {
			token, ok := access.BearerToken(r)
			if !ok {
				return unauthorized("missing token")
			}
			claims, err := v.verify(r.Context(), issuer, audiences, token)
			if err != nil {
				return err
			}
			if claims.EmailVerified && slices.Contains(users, claims.Email) || claims.Subject != "" && slices.Contains(users, claims.Subject) {
				return nil
			}
			return unauthorized("user %q (subject %q) is not allowed", claims.Email, claims.Subject)
		},
		challenge: "Bearer", deliveryHeader: defaultDeliveryHeader, secretHeader: authorizationHeader,
	}
}
