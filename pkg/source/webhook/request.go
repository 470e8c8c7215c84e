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

// maxDeliveryID is the longest name of a delivery that is kept as it is.
const maxDeliveryID = 128

// event returns the event of a call whose body was read.
func (h *hook) event(r *http.Request, body []byte, now time.Time) (event.Event, error) {
	sent, err := payload.Parse(r.Context(), r.Header, body)
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
	if sent.CloudEvent != nil {
		data["cloudEvent"] = sent.CloudEvent
		ev.Type = fmt.Sprint(sent.CloudEvent["type"])
		ev.Key = fmt.Sprintf("%s %v %v", h.trigger, sent.CloudEvent["source"], sent.CloudEvent["subject"])
		if h.replayWindow == 0 { // else only what is signed names a delivery
			id = fmt.Sprintf("%v %v", sent.CloudEvent["source"], sent.CloudEvent["id"])
		}
	}
	if h.registry != "" {
		if sent.CloudEvent != nil {
			if body, err = json.Marshal(sent.Body); err != nil {
				return event.Event{}, fmt.Errorf("%w: %w", payload.ErrMalformed, err)
			}
		}
		n, err := image.Parse(h.registry, body)
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
		for i, found := range n.Images {
			images[i] = map[string]any{
				"registry": found.Registry, "repository": found.Repository, "tag": found.Tag, "digest": found.Digest,
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

// eventID returns the event's ID for the sender's name of a delivery; a new one where
// the sender has none.
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

// headers returns the headers of a call in lower case, without those that may
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

func (h *hook) query(r *http.Request) map[string]any {
	all := r.URL.Query()
	for name := range all {
		if mayHoldSecret(name) || name == h.auth.secretQuery {
			delete(all, name)
		}
	}
	return payload.Values(all)
}

// mayHoldSecret reports whether a header or parameter of this name is one that
// senders use for what others must not see.
func mayHoldSecret(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"auth", "token", "secret", "signature", "cookie", "password", "credential", "key", "session", "jwt"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
