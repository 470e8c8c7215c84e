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
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// authProperties are those of all kinds of auth.
type authProperties struct {
	Type             string           `json:"type"`
	Secret           secretProperties `json:"secret"`
	ToleranceSeconds int64            `json:"toleranceSeconds"`
	Header           string           `json:"header"`
	Prefix           string           `json:"prefix"`
	Algorithm        string           `json:"algorithm"`
	Encoding         string           `json:"encoding"`
	Query            string           `json:"query"`
	Audiences        []string         `json:"audiences"`
	Users            []string         `json:"users"`
}

type secretProperties struct {
	Name string `json:"name"`
	Key  string `json:"key"`
	File string `json:"file"`
	Env  string `json:"env"`
}

// authTypes are the types of auth that are objects.
func authTypes() []string {
	return []string{"github", "gitea", "gitlab", "standard", "hmac", "token", "bearer", "tokenReview"}
}

// authenticator returns who decides about calls of t's webhook.
func (p authProperties) authenticator(t event.TriggerRef, keys *secretCache, reviews *tokenReviewer) (authenticator, diag.List) {
	var problems diag.List
	if p.Type == "tokenReview" {
		if len(p.Audiences) == 0 {
			problems.Add("audiences", "needs one at least: a token is accepted for one of them only")
		}
		return tokenReviewAuth(reviews, p.Audiences, p.Users), problems
	}
	ref := p.Secret.ref(t, &problems)
	switch p.Type {
	case "github":
		return githubAuth(keys, ref), problems
	case "gitea":
		return giteaAuth(keys, ref), problems
	case "gitlab":
		return gitlabAuth(keys, ref), problems
	case "standard":
		return standard(keys, ref, time.Duration(p.ToleranceSeconds)*time.Second), problems
	case "hmac":
		checkHeader("header", p.Header, &problems)
		return hmacAuth(keys, ref, hmacSignature{
			header: p.Header, prefix: p.Prefix, hash: hashFunc(p.Algorithm), decode: decodeFunc(p.Encoding),
		}), problems
	case "token":
		switch {
		case (p.Header == "") == (p.Query == ""):
			problems.Add("", "needs either header or query")
		case p.Header != "":
			checkHeader("header", p.Header, &problems)
		}
		return token(keys, ref, p.Header, p.Query), problems
	}
	return bearerAuth(keys, ref), problems
}

// ref returns where the secret is for a trigger.
func (s secretProperties) ref(t event.TriggerRef, problems *diag.List) secretRef {
	given := 0
	for _, place := range []string{s.Name, s.File, s.Env} {
		if place != "" {
			given++
		}
	}
	if given != 1 {
		problems.Add("secret", "needs one of name (of a Secret), file and env")
	}
	if reasons := validation.IsDNS1123Subdomain(s.Name); s.Name != "" && len(reasons) > 0 {
		problems.Add("secret.name", "%q is not a name: %s", s.Name, strings.Join(reasons, "; "))
	}
	if reasons := validation.IsConfigMapKey(s.Key); len(reasons) > 0 {
		problems.Add("secret.key", "%q is not a key: %s", s.Key, strings.Join(reasons, "; "))
	}
	if s.File != "" && !filepath.IsAbs(s.File) {
		problems.Add("secret.file", "must be an absolute path, not %q", s.File)
	}
	return secretRef{namespace: t.Namespace, name: s.Name, key: s.Key, file: s.File, env: s.Env}
}

func checkHeader(path, name string, problems *diag.List) {
	if !httpguts.ValidHeaderFieldName(name) {
		problems.Add(path, `must be the name of a header, such as "X-Signature", not %q`, name)
	}
}
