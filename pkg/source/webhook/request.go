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
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/webhook/image"
	"github.com/kubevela/kube-trigger/pkg/source/webhook/payload"
)

// maxDeliveryID limits the length of a delivery ID; longer ones are hashed.
const maxDeliveryID = 128

// event returns the event of a request. Its errors wrap those of payload and image.
func (h *hook) event(r *http.Request, body []byte, now time.Time) (event.Event, error) {
	header := r.Header
	if h.auth.checkBody != nil && !h.trustHeaders {
		header = withoutCloudEvent(header)
	}
	sent, err := payload.Parse(r.Context(), header, body, h.maxBody)
	if err != nil {
		return event.Event{}, err
	}
	data := map[string]any{
		"path":    h.path,
		"headers": h.headers(r.Header),
		"query":   h.query(r),
		"body":    sent.Body,
	}
	ev := event.Event{Source: Type, Type: r.Header.Get(h.auth.typeHeader), Data: data, Time: now}
	id := r.Header.Get(h.deliveryHeader)
	eventType, delivery := senderOf(r.Header)
	if ev.Type == "" {
		ev.Type = eventType
	}
	if id == "" && h.senderNamesDelivery {
		id = delivery
	}
	if sent.CloudEvent != nil {
		data["cloudEvent"] = sent.CloudEvent
		ev.Type = fmt.Sprint(sent.CloudEvent["type"])
		ev.Key = fmt.Sprintf("%s %v %v", h.trigger, sent.CloudEvent["source"], sent.CloudEvent["subject"])
		if h.replayWindow == 0 { // otherwise only the signed header identifies the delivery
			id = fmt.Sprintf("%v %v", sent.CloudEvent["source"], sent.CloudEvent["id"])
		}
	}
	if h.registry != "" {
		if body, err = json.Marshal(sent.Body); err != nil {
			return event.Event{}, fmt.Errorf("%w: %w", payload.ErrMalformed, err)
		}
		n, err := image.Parse(h.registry, h.registryHost, body)
		if err != nil {
			return event.Event{}, err
		}
		if n.Type != "" {
			ev.Type = n.Type
		}
		if id == "" {
			id = n.ID
		}
		images := make([]any, len(n.Images))
		for i, img := range n.Images {
			images[i] = map[string]any{
				"registry": img.Registry, "repository": img.Repository, "tag": img.Tag, "digest": img.Digest,
			}
		}
		data["images"] = images
		if len(images) > 0 {
			data["image"] = images[0]
			ev.Key = fmt.Sprintf("%s %s/%s", h.trigger, n.Images[0].Registry, n.Images[0].Repository)
		}
	}
	if ev.Type == "" {
		ev.Type = "request"
	}
	ev.ID = h.eventID(id)
	if ev.Key == "" {
		ev.Key = ev.ID
	}
	return ev, nil
}

// withoutCloudEvent returns header without the attributes of a CloudEvent in binary
// mode.
func withoutCloudEvent(header http.Header) http.Header {
	out := http.Header{}
	for name, values := range header {
		if !strings.HasPrefix(name, "Ce-") {
			out[name] = values
		}
	}
	return out
}

// eventID returns the event's ID for the sender's delivery ID. It is random if
// delivery is empty.
func (h *hook) eventID(delivery string) string {
	switch {
	case delivery == "":
		delivery = rand.Text()
	case len(delivery) > maxDeliveryID || strings.ContainsFunc(delivery, func(r rune) bool { return r <= ' ' || r > '~' }):
		sum := sha256.Sum256([]byte(delivery))
		delivery = "sha256:" + hex.EncodeToString(sum[:])
	}
	return Type + "/" + h.trigger.String() + "/" + delivery
}

// headers returns the headers of a request by lower-case name, without those that may
// hold a secret.
func (h *hook) headers(header http.Header) map[string]any {
	out := map[string]any{}
	for name, values := range header {
		if !mayHoldSecret(name) && !strings.EqualFold(name, h.auth.secretHeader) {
			out[strings.ToLower(name)] = strings.ToValidUTF8(strings.Join(values, ", "), "\uFFFD")
		}
	}
	return out
}

// query returns the query parameters of a request, without those that may hold a
// secret.
func (h *hook) query(r *http.Request) map[string]any {
	values := r.URL.Query()
	for name := range values {
		if mayHoldSecret(name) || name == h.auth.secretQuery {
			delete(values, name)
		}
	}
	return payload.Values(values)
}
