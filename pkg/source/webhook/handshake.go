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
	"math"
	"net/http"
	"strconv"

	"github.com/kubevela/kube-trigger/pkg/source/webhook/payload"
)

// allowedMethods are the methods that a webhook answers. POST and PUT emit events.
const allowedMethods = "GET, HEAD, OPTIONS, POST, PUT"

// maxChallenge limits the text that a sender may have echoed, in bytes.
const maxChallenge = 1024

// handshake returns the answer to a request by which a sender verifies the URL, and which
// is no event; nil if it is none. It calls release before it connects to another host.
func (h *handler) handshake(r *http.Request, sent []payload.Payload, release func()) *answer {
	if len(sent) != 1 || sent[0].CloudEvent != nil {
		return nil
	}
	body := sent[0].Body
	// Slack: https://docs.slack.dev/reference/events/url_verification
	if challenge := textAt(body, "challenge"); textAt(body, "type") == "url_verification" && challenge != "" && len(challenge) <= maxChallenge {
		return &answer{status: http.StatusOK, message: challenge}
	}
	// Azure Event Grid: https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema
	if code := textAt(body, "data.validationCode"); r.Header.Get(eventGridHeader) == "SubscriptionValidation" && code != "" {
		return &answer{status: http.StatusOK, json: map[string]string{"validationResponse": code}}
	}
	if m, ok := newSNSMessage(body); ok && m.asksToConfirm() {
		release()
		failed := h.authenticate(r, true, func() error { return h.sns.confirm(r, m) })
		if failed != nil {
			return failed
		}
		h.log.Info("SNS subscription confirmed", "topic", m.text("TopicArn"))
		return &answer{status: http.StatusOK, message: "subscription confirmed"}
	}
	return nil
}

// options answers OPTIONS: to the handshake of CloudEvents, that the sender may send at
// the rate limit. It is described at
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection.
// Requests without a body cannot be signed; other auth applies to the handshake.
func (h *handler) options(w http.ResponseWriter, r *http.Request) *answer {
	if origin := r.Header.Get("WebHook-Request-Origin"); origin != "" {
		if failed := h.authenticate(r, h.auth.checkHeaders != nil && h.auth.checkBody == nil, func() error { return h.auth.checkHeaders(r) }); failed != nil {
			return failed
		}
		perMinute := math.Max(1, math.Min(float64(h.limiter.Limit())*60, math.MaxInt32))
		w.Header().Set("WebHook-Allowed-Origin", origin)
		w.Header().Set("WebHook-Allowed-Rate", strconv.Itoa(int(perMinute)))
	}
	w.Header().Set("Allow", allowedMethods)
	return &answer{status: http.StatusOK}
}
