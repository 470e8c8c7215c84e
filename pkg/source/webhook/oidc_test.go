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

package webhook_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// fakeIssuer stands for an issuer of ID tokens: it signs them, and publishes its keys.
type fakeIssuer struct {
	t    *testing.T
	key  *rsa.PrivateKey
	keys string

	mu      sync.Mutex
	fetched int
	err     error
	// blocked blocks requests to the issuer until it is closed.
	blocked chan struct{}
}

const (
	issuer   = "https://accounts.google.com"
	audience = "https://hooks.example.com/hooks/gar"
	account  = "pubsub@my-project.iam.gserviceaccount.com"
)

func encode(value any) string {
	text, _ := json.Marshal(value) // the values are maps of strings and numbers
	return base64.RawURLEncoding.EncodeToString(text)
}

func newFakeIssuer(t *testing.T) *fakeIssuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	n, e := base64.RawURLEncoding.EncodeToString(key.N.Bytes()), base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())
	open := make(chan struct{})
	close(open)
	return &fakeIssuer{t: t, key: key, blocked: open, keys: `{"keys":[{"kty":"EC","kid":"ec"},{"kty":"RSA","alg":"RS256","use":"sig","kid":"k1","n":"` + n + `","e":"` + e + `"}]}`}
}

func (f *fakeIssuer) use(w *worker) { w.options.Fetch = f.fetch }

func (f *fakeIssuer) fetch(ctx context.Context, url string) (int, []byte, error) {
	f.mu.Lock()
	f.fetched++
	blocked := f.blocked
	f.mu.Unlock()
	select {
	case <-blocked:
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch url {
	case issuer + "/.well-known/openid-configuration":
		return http.StatusOK, []byte(`{"issuer":"` + issuer + `","jwks_uri":"https://www.googleapis.com/oauth2/v3/certs"}`), f.err
	case "https://www.googleapis.com/oauth2/v3/certs":
		return http.StatusOK, []byte(f.keys), f.err
	}
	return http.StatusNotFound, nil, f.err
}

// claims are those that Pub/Sub sends:
// cloud.google.com/pubsub/docs/authenticate-push-subscriptions.
func claims(change map[string]any) map[string]any {
	out := map[string]any{
		"aud": audience, "azp": "113774264463038321964", "email": account, "email_verified": true, "sub": "113774264463038321964",
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "iss": issuer,
	}
	for name, value := range change {
		if out[name] = value; value == nil {
			delete(out, name)
		}
	}
	return out
}

// sign returns a token.
func (f *fakeIssuer) sign(header, claims map[string]any) string {
	f.t.Helper()
	text := encode(header) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, f.key, crypto.SHA256, sum[:])
	if err != nil {
		f.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestOIDCAuth accepts the tokens of one issuer, audience and user.
func TestOIDCAuth(t *testing.T) {
	f, other := newFakeIssuer(t), newFakeIssuer(t)
	w := serve(t, "{registry: gar, auth: {type: oidc, audiences: ["+audience+"], users: ["+account+", sub-1]}}", f.use)
	const push = `{"message":{"data":"eyJhY3Rpb24iOiJJTlNFUlQiLCJ0YWciOiJ1cy1lYXN0MS1kb2NrZXIucGtnLmRldi9wL3Ivd2ViOjEifQ==","messageId":"1"},"subscription":"s"}`
	header := map[string]any{"alg": "RS256", "kid": "k1", "typ": "JWT"}
	send := func(token string) (int, string) {
		return w.send(request{body: push, headers: map[string]string{"Authorization": "Bearer " + token}})
	}
	if status, response := send(f.sign(header, claims(nil))); status != http.StatusAccepted {
		t.Errorf("%d %s", status, response)
	}
	for name, change := range map[string]map[string]any{
		"subject":            {"email": nil, "sub": "sub-1"},
		"several audiences":  {"aud": []string{"a", audience}},
		"expired just now":   {"exp": time.Now().Add(-time.Second).Unix()},
		"time with fraction": {"exp": float64(time.Now().Add(time.Hour).Unix()) + 0.5},
	} {
		if status, response := send(f.sign(header, claims(change))); status != http.StatusOK {
			t.Errorf("%s: %d %s", name, status, response)
		}
	}
	good := f.sign(header, claims(nil))
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	for name, token := range map[string]string{
		"no token":         "",
		"no JWT":           "x",
		"two parts":        head + "." + payload,
		"no signature":     head + "." + payload + ".",
		"other claims":     head + "." + encode(claims(map[string]any{"email": account, "sub": "x"})) + "." + signature,
		"none":             encode(map[string]any{"alg": "none", "kid": "k1"}) + "." + payload + ".",
		"HS256":            encode(map[string]any{"alg": "HS256", "kid": "k1"}) + "." + payload + "." + signature,
		"critical":         f.sign(map[string]any{"alg": "RS256", "kid": "k1", "crit": []string{"x"}}, claims(nil)),
		"another's key":    other.sign(header, claims(nil)),
		"unknown key":      f.sign(map[string]any{"alg": "RS256", "kid": "k2"}, claims(nil)),
		"key that is no":   f.sign(map[string]any{"alg": "RS256", "kid": "ec"}, claims(nil)),
		"another issuer":   f.sign(header, claims(map[string]any{"iss": "https://example.com"})),
		"another audience": f.sign(header, claims(map[string]any{"aud": "https://other.example.com"})),
		"no audience":      f.sign(header, claims(map[string]any{"aud": nil})),
		"another user":     f.sign(header, claims(map[string]any{"email": "x@example.com"})),
		"not verified":     f.sign(header, claims(map[string]any{"email_verified": false})),
		"expired":          f.sign(header, claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})),
		"never expires":    f.sign(header, claims(map[string]any{"exp": nil})),
		"not yet valid":    f.sign(header, claims(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})),
	} {
		if status, response := send(token); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, status, response)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fetched != 2 { // unknown keys do not have it read the keys each time
		t.Errorf("%d requests to the issuer, want 2", f.fetched)
	}
	if ev := w.waitForEvents(1)[0]; ev.Type != "push" || strings.Contains(strings.Join(w.lines, "\n"), signature) {
		t.Errorf("type %s, or the token is in the log", ev.Type)
	}
}

// TestOIDCAuth_Unavailable answers with 503 while the keys cannot be read.
func TestOIDCAuth_Unavailable(t *testing.T) {
	f := newFakeIssuer(t)
	f.err = errors.New("no route")
	for _, use := range []option{f.use, func(*worker) {}} {
		w := serve(t, "auth: {type: oidc, audiences: ["+audience+"], users: ["+account+"]}", use)
		token := f.sign(map[string]any{"alg": "RS256", "kid": "k1"}, claims(nil))
		w.expectStatus(http.StatusServiceUnavailable, request{body: "{}", headers: map[string]string{"Authorization": "Bearer " + token}})
	}
}

// TestOIDCAuth_UnknownKeys: tokens with unknown keys, which anybody can send, neither drop the
// keys that are known while the issuer cannot be read, nor keep senders with known keys waiting:
// cleanenergyexchange/fastapi-zitadel-auth#156. A caller that does not wait for the answer cannot
// have the keys read again and again.
func TestOIDCAuth_UnknownKeys(t *testing.T) {
	f := newFakeIssuer(t)
	c := testclock.NewFakeClock(time.Now())
	w := serve(t, "auth: {type: oidc, audiences: ["+audience+"], users: ["+account+"]}", f.use, func(w *worker) { w.options.Clock = c })
	send := func(kid string) request {
		return request{body: "{}", headers: map[string]string{"Authorization": "Bearer " + f.sign(map[string]any{"alg": "RS256", "kid": kid}, claims(nil))}}
	}
	w.expectStatus(http.StatusAccepted, send("k1"))
	fetched := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.fetched
	}
	c.Step(time.Minute)
	release := make(chan struct{})
	f.mu.Lock()
	f.err, f.blocked = errors.New("too many requests"), release
	f.mu.Unlock()
	before := fetched()
	for range 3 {
		ctx, giveUp := context.WithCancel(t.Context())
		gaveUp := make(chan struct{})
		go func() {
			defer close(gaveUp)
			unknown := send("unknown")
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url("/n/t"), strings.NewReader(unknown.body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", unknown.headers["Authorization"])
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			if res, err := client.Do(req); err == nil {
				res.Body.Close()
			}
		}()
		w.eventually(func() bool { return fetched() > before })
		giveUp()
		cluster.Receive(t, "the caller that gives up", gaveUp)
	}
	w.expectStatus(http.StatusAccepted, send("k1")) // while the keys are being read
	close(release)
	w.expectStatus(http.StatusServiceUnavailable, send("unknown"))
	w.expectStatus(http.StatusAccepted, send("k1"))
	if n := fetched() - before; n != 1 {
		t.Errorf("%d requests to the issuer, want 1", n)
	}
	c.Step(time.Hour)
	w.expectStatus(http.StatusServiceUnavailable, send("k1"))
}
