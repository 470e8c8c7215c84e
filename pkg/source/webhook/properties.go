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
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubevela/kube-trigger/pkg/access"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/source/webhook/image"
)

// hook holds the checked properties of one trigger.
type hook struct {
	trigger event.TriggerRef
	path    string
	auth    authenticator
	// rights are those that auth needs.
	rights         []rights.Right
	deliveryHeader string
	registry       string
	// registryHost replaces the registry that notifications name.
	registryHost string
	maxBody      int64
	// acceptedStatus is the status of the answer to a request whose event is stored.
	acceptedStatus int
	limiter        *rate.Limiter
	failures       *failures
	// senderNamesDelivery is set if the header of a well-known sender may name the
	// delivery, too.
	senderNamesDelivery bool
	// trustHeaders is set if the ce-* headers of requests are used although the
	// signature does not cover them.
	trustHeaders bool
	// replayWindow is how long a captured request stays valid; 0 if requests carry no
	// timestamp.
	replayWindow time.Duration
	sns          *snsVerifier
}

// authorities are what authenticates requests. All webhooks of a process share them.
type authorities struct {
	secrets  *secretCache
	reviewer *access.Reviewer
	sns      *snsVerifier
	oidc     *oidcVerifier
}

// name identifies the hook in the store.
func (h *hook) name() string { return Type + ":" + h.trigger.String() }

// authNone is the auth property that accepts every request.
const authNone = "none"

// parse checks properties and returns the hook of trigger t.
func parse(s schema.Lazy, given map[string]any, t event.TriggerRef, by authorities) (*hook, diag.List) {
	var diags diag.List
	if auth, ok := given["auth"].(map[string]any); ok && auth["type"] == nil {
		diags.Add("auth.type", "is required: one of %s", strings.Join(authTypes(), ", "))
		return nil, diags
	}
	var p struct {
		Path           string          `json:"path"`
		Auth           json.RawMessage `json:"auth"`
		DeliveryHeader string          `json:"deliveryHeader"`
		Registry       string          `json:"registry"`
		RegistryHost   string          `json:"registryHost"`
		TrustHeaders   bool            `json:"trustHeaders"`
		MaxBodyBytes   int64           `json:"maxBodyBytes"`
		AcceptedStatus int             `json:"acceptedStatus"`
		RateLimit      struct {
			PerSecond float64 `json:"perSecond"`
			Burst     int     `json:"burst"`
		} `json:"rateLimit"`
	}
	if diags = s.Decode(given, &p); len(diags) > 0 {
		return nil, diags
	}
	h := &hook{
		trigger: t, path: p.Path, registry: p.Registry, registryHost: p.RegistryHost, maxBody: p.MaxBodyBytes,
		acceptedStatus: p.AcceptedStatus, limiter: rate.NewLimiter(rate.Limit(p.RateLimit.PerSecond), p.RateLimit.Burst),
		failures: newFailures(by.secrets.clock), trustHeaders: p.TrustHeaders, sns: by.sns,
	}
	if err := image.CheckRegistry(p.RegistryHost); p.RegistryHost != "" && err != nil {
		diags.Add("registryHost", "%v", err)
	}
	if p.RegistryHost != "" && p.Registry == "" {
		diags.Add("registryHost", "has no effect without registry")
	}
	if h.path == "" {
		h.path = "/" + t.String()
	}
	if !strings.HasPrefix(h.path, "/") || strings.ContainsAny(h.path, "?#% ") {
		diags.Add("path", `must start with "/" and contain no "?", "#", "%%" or space, not %q`, p.Path)
	}
	h.auth = allowAll()
	var auth authProperties
	if string(p.Auth) != `"`+authNone+`"` {
		if err := json.Unmarshal(p.Auth, &auth); err != nil {
			diags.Add("auth", "%v", err)
			return nil, diags
		}
		var authDiags diag.List
		h.auth, authDiags = auth.authenticator(t, by)
		h.rights = auth.rights(t)
		diags = append(diags, authDiags.WithPrefix("auth")...)
		h.replayWindow = 2 * h.auth.tolerance
	}
	h.deliveryHeader = p.DeliveryHeader
	if h.deliveryHeader == "" {
		h.deliveryHeader = h.auth.deliveryHeader
		h.senderNamesDelivery = h.deliveryHeader == defaultDeliveryHeader
	}
	checkHeader("deliveryHeader", h.deliveryHeader, &diags)
	if h.replayWindow > 0 && h.deliveryHeader != h.auth.deliveryHeader {
		diags.Add("deliveryHeader", "has no effect with auth of type %q, which signs %s", auth.Type, h.auth.deliveryHeader)
	}
	return h, diags
}

// authProperties are the properties of all auth types.
type authProperties struct {
	Type             string           `json:"type"`
	Secret           secretProperties `json:"secret"`
	ToleranceSeconds int64            `json:"toleranceSeconds"`
	Header           string           `json:"header"`
	Prefix           string           `json:"prefix"`
	Algorithm        string           `json:"algorithm"`
	Encoding         string           `json:"encoding"`
	Query            string           `json:"query"`
	Username         string           `json:"username"`
	Audiences        []string         `json:"audiences"`
	Users            []string         `json:"users"`
	Issuer           string           `json:"issuer"`
	Topics           []string         `json:"topics"`
}

type secretProperties struct {
	Name string `json:"name"`
	Key  string `json:"key"`
	File string `json:"file"`
	Env  string `json:"env"`
}

// authTypes returns the values of auth.type.
func authTypes() []string {
	return []string{"github", "gitea", "gitlab", "bitbucket", "slack", "stripe", "standard", "hmac", "token", "basic", "bearer", "tokenReview", "oidc", "sns"}
}

// authenticator returns the authenticator of trigger t.
func (p authProperties) authenticator(t event.TriggerRef, by authorities) (authenticator, diag.List) {
	var diags diag.List
	switch p.Type {
	case "tokenReview":
		requireOne("audiences", p.Audiences, "audience; tokens for other audiences are rejected", &diags)
		return tokenReviewAuth(by.reviewer, p.Audiences, p.Users), diags
	case "oidc":
		if u, err := url.Parse(p.Issuer); err != nil || u.Scheme != "https" || u.Host == "" {
			diags.Add("issuer", `must be a URL such as "https://accounts.google.com", not %q`, p.Issuer)
		}
		requireOne("audiences", p.Audiences, "audience; tokens for other audiences are rejected", &diags)
		requireOne("users", p.Users, "email address or subject; others have tokens of the issuer, too", &diags)
		return oidcAuth(by.oidc, p.Issuer, p.Audiences, p.Users), diags
	case "sns":
		requireOne("topics", p.Topics, "ARN of a topic; messages of other topics are signed by Amazon, too", &diags)
		return snsAuth(by.sns, p.Topics), diags
	}
	return p.secretAuthenticator(t, by.secrets)
}

// rights returns the rights that the authenticator of trigger t needs.
func (p authProperties) rights(t event.TriggerRef) []rights.Right {
	switch {
	case p.Type == "tokenReview":
		return []rights.Right{{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview", Verbs: []string{"create"}}}
	case p.Secret.Name != "":
		return []rights.Right{{APIVersion: "v1", Kind: "Secret", Namespace: t.Namespace, Name: p.Secret.Name, Verbs: []string{"get"}}}
	}
	return nil
}

// requireOne adds a problem unless list has an element. what describes one.
func requireOne(path string, list []string, what string, diags *diag.List) {
	if len(list) == 0 {
		diags.Add(path, "must list at least one %s", what)
	}
}

// secretAuthenticator returns the authenticator of a type with a secret.
func (p authProperties) secretAuthenticator(t event.TriggerRef, secrets *secretCache) (authenticator, diag.List) {
	var diags diag.List
	ref := p.Secret.ref(t, &diags)
	switch p.Type {
	case "github":
		return githubAuth(secrets, ref), diags
	case "gitea":
		return giteaAuth(secrets, ref), diags
	case "gitlab":
		return gitlabAuth(secrets, ref), diags
	case "bitbucket":
		return bitbucketAuth(secrets, ref), diags
	case "slack":
		return timedAuth(secrets, ref, slackSignature(), time.Duration(p.ToleranceSeconds)*time.Second), diags
	case "stripe":
		return timedAuth(secrets, ref, stripeSignature(), time.Duration(p.ToleranceSeconds)*time.Second), diags
	case "basic":
		return basicAuth(secrets, ref, p.Username), diags
	case "standard":
		return standardAuth(secrets, ref, time.Duration(p.ToleranceSeconds)*time.Second), diags
	case "hmac":
		checkHeader("header", p.Header, &diags)
		return hmacAuth(secrets, ref, hmacSignature{
			header: p.Header, prefix: p.Prefix, hash: hashFunc(p.Algorithm), decode: decodeFunc(p.Encoding),
		}), diags
	case "token":
		switch {
		case (p.Header == "") == (p.Query == ""):
			diags.Add("", "must set exactly one of header and query")
		case p.Header != "":
			checkHeader("header", p.Header, &diags)
		}
		return tokenAuth(secrets, ref, p.Header, p.Query), diags
	}
	return bearerAuth(secrets, ref), diags
}

// ref returns the secret's reference for trigger t, whose namespace is that of the
// Secret.
func (p secretProperties) ref(t event.TriggerRef, diags *diag.List) secretRef {
	set := 0
	for _, value := range []string{p.Name, p.File, p.Env} {
		if value != "" {
			set++
		}
	}
	if set != 1 {
		diags.Add("secret", "must set exactly one of name (of a Secret), file and env")
	}
	if reasons := validation.IsDNS1123Subdomain(p.Name); p.Name != "" && len(reasons) > 0 {
		diags.Add("secret.name", "invalid name %q: %s", p.Name, strings.Join(reasons, "; "))
	}
	if reasons := validation.IsConfigMapKey(p.Key); len(reasons) > 0 {
		diags.Add("secret.key", "invalid key %q: %s", p.Key, strings.Join(reasons, "; "))
	}
	if p.File != "" && !filepath.IsAbs(p.File) {
		diags.Add("secret.file", "must be an absolute path, not %q", p.File)
	}
	return secretRef{namespace: t.Namespace, name: p.Name, key: p.Key, file: p.File, env: p.Env}
}

func checkHeader(path, name string, diags *diag.List) {
	if !httpguts.ValidHeaderFieldName(name) {
		diags.Add(path, `must be a header name such as "X-Signature", not %q`, name)
	}
}
