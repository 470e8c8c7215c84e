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
	"net/http"
	"strings"
)

// knownSender has the headers of a well-known sender.
type knownSender struct{ typeHeader, deliveryHeader string }

// knownSenders returns the headers of senders that auth does not name.
func knownSenders() []knownSender {
	return []knownSender{
		{"X-GitHub-Event", "X-GitHub-Delivery"},
		{"X-Gitea-Event", "X-Gitea-Delivery"},
		{"X-Gitlab-Event", "Idempotency-Key"},
		{"X-Event-Key", "X-Request-Uuid"}, // Bitbucket Cloud
		{"X-Event-Key", "X-Request-Id"},   // Bitbucket Data Center
		{"X-Amz-Sns-Message-Type", "X-Amz-Sns-Message-Id"},
		{"Sentry-Hook-Resource", "Request-Id"},
		{"X-Nexus-Webhook-Id", "X-Nexus-Webhook-Delivery"},
	}
}

// senderOf returns the event's type and the delivery's ID that a well-known sender of a
// request states; either may be empty.
func senderOf(header http.Header) (eventType, delivery string) {
	for _, s := range knownSenders() {
		if t := header.Get(s.typeHeader); t != "" {
			eventType = t
			if delivery = header.Get(s.deliveryHeader); delivery != "" {
				break
			}
		}
	}
	return eventType, delivery
}

// mayHoldSecret reports whether a header or query parameter of this name may hold a
// secret, by the words in it.
func mayHoldSecret(name string) bool {
	words := nameWords(name)
	for i, word := range words {
		switch word {
		case "auth", "authorization", "authentication", "token", "secret", "signature", "sig", "cookie", "password", "passwd",
			"credential", "credentials", "session", "jwt", "apikey", "accesskey", "bearer", "assertion":
			return true
		case "key":
			if i > 0 && keyOfSecret(words[i-1]) {
				return true
			}
		}
	}
	return false
}

// keyOfSecret reports whether a key of this kind is a secret, unlike the key of an event.
func keyOfSecret(kind string) bool {
	switch kind {
	case "api", "access", "private", "secret", "shared", "subscription", "function", "functions", "account", "license",
		"encryption", "signing", "master", "admin", "user", "client", "app", "application", "service", "integration", "routing":
		return true
	}
	return false
}

// nameWords returns the words of "X-Api-Key", "api_key" or "apiKey", in lower case.
func nameWords(name string) []string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.FieldsFunc(strings.ToLower(b.String()), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}
