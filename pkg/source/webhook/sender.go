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
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/source/webhook/payload"
)

// headerSender is a sender that is known by its headers.
type headerSender struct{ typeHeader, deliveryHeader string }

// headerSenders returns the senders that are known by their headers. Gitea and Forgejo send
// GitHub's headers, too.
func headerSenders() []headerSender {
	return []headerSender{
		{"X-GitHub-Event", "X-GitHub-Delivery"},
		{"X-Gitea-Event", "X-Gitea-Delivery"},
		{"X-Forgejo-Event", "X-Forgejo-Delivery"},
		{"X-Gitlab-Event", "Idempotency-Key"},
		{"X-Event-Key", "X-Request-Uuid"}, // Bitbucket Cloud
		{"X-Event-Key", "X-Request-Id"},   // Bitbucket Data Center
		{"X-Amz-Sns-Message-Type", snsDeliveryHeader},
		{"Sentry-Hook-Resource", "Request-Id"},
		{"X-Nexus-Webhook-Id", "X-Nexus-Webhook-Delivery"},
		{"", "X-Goog-Pubsub-Message-Id"},
	}
}

// senderOf returns the event's type and the delivery's ID that a well-known sender of a
// request states in its headers; either may be empty.
func senderOf(header http.Header) (eventType, delivery string) {
	for _, s := range headerSenders() {
		t := header.Get(s.typeHeader)
		if t == "" && s.typeHeader != "" {
			continue
		}
		if eventType == "" {
			eventType = t
		}
		if delivery = header.Get(s.deliveryHeader); delivery != "" {
			break
		}
	}
	return eventType, delivery
}

// bodySender is a sender that is known by fields of its JSON. Fields are paths.
type bodySender struct {
	// has lists fields that together no other sender has.
	has []string
	// typeField has the event's type; empty if the sender states none.
	typeField string
	// idFields together identify the delivery; empty if the sender states no ID.
	idFields []string
}

// bodySenders returns the senders that are known by their JSON.
func bodySenders() []bodySender {
	return []bodySender{
		// https://learn.microsoft.com/azure/devops/service-hooks/events
		{[]string{"publisherId", "eventType", "subscriptionId"}, "eventType", []string{"subscriptionId", "id"}},
		// https://developer.pagerduty.com/docs/webhooks-overview
		{[]string{"event.event_type", "event.resource_type"}, "event.event_type", []string{"event.id"}},
		// https://docs.slack.dev/apis/events-api
		{[]string{"event_id", "team_id", "event.type"}, "event.type", []string{"event_id"}},
		// https://docs.stripe.com/api/events/object
		{[]string{"object", "livemode", "type"}, "type", []string{"id"}},
		// https://docs.aws.amazon.com/eventbridge/latest/ref/overview-events.html
		{[]string{"detail-type", "detail", "source"}, "detail-type", []string{"id"}},
		// https://learn.microsoft.com/azure/event-grid/event-schema
		{[]string{"eventType", "eventTime", "dataVersion"}, "eventType", []string{"id"}},
		// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
		{[]string{"TopicArn", "MessageId"}, "Type", []string{"MessageId"}},
		// https://cloud.google.com/pubsub/docs/push
		{[]string{"message.messageId", "subscription"}, "", []string{"message.messageId"}},
		// https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/
		{[]string{"event_data", "occur_at"}, "type", nil},
		// https://jfrog.com/help/r/jfrog-platform-administration-documentation/webhooks
		{[]string{"event_type", "domain", "data"}, "event_type", nil},
	}
}

// bodySenderOf returns the event's type and ID that a well-known sender states in its JSON;
// either may be empty.
func bodySenderOf(body any) (eventType, id string) {
	for _, s := range bodySenders() {
		if !slices.ContainsFunc(s.has, func(path string) bool { return valueAt(body, path) == nil }) {
			return textAt(body, s.typeField), s.id(body)
		}
	}
	return "", ""
}

// id returns what identifies the delivery; "" if the sender does not state it.
func (s bodySender) id(body any) string {
	ids := make([]string, len(s.idFields))
	for i, field := range s.idFields {
		if ids[i] = textAt(body, field); ids[i] == "" || isPlaceholder(ids[i]) {
			return ""
		}
	}
	return strings.Join(ids, "/")
}

// isPlaceholder reports whether an ID is one of zeros, as in Stripe's and Azure DevOps's
// tests, which all have the same.
func isPlaceholder(id string) bool {
	return strings.HasSuffix(strings.ReplaceAll(id, "-", ""), strings.Repeat("0", 12))
}

// valueAt returns the value at a path such as "event.id", or nil.
func valueAt(value any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		m, _ := value.(map[string]any)
		value = m[name]
	}
	return value
}

// textAt returns the string at a path, or "".
func textAt(value any, path string) string {
	text, _ := valueAt(value, path).(string)
	return text
}

// slackHeader is sent by Slack. It shows an answer other than 200 without a body to the user
// of a command or a button, as a failure or as a message.
const slackHeader = "X-Slack-Request-Timestamp"

// eventGridHeader is sent by Azure Event Grid.
const eventGridHeader = "Aeg-Event-Type"

// splitEventGrid returns the events of a list that Azure Event Grid sends in its own schema,
// and other requests as they are.
func splitEventGrid(header http.Header, sent []payload.Payload) ([]payload.Payload, error) {
	if header.Get(eventGridHeader) == "" || len(sent) != 1 || sent[0].CloudEvent != nil {
		return sent, nil
	}
	list, ok := sent[0].Body.([]any)
	if !ok {
		return sent, nil
	}
	if len(list) > payload.MaxBatch {
		return nil, fmt.Errorf("%w: more than %d events", payload.ErrTooLarge, payload.MaxBatch)
	}
	out := make([]payload.Payload, len(list))
	for i, body := range list {
		out[i] = payload.Payload{Body: body}
	}
	return out, nil
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
