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
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/webhook/image"
	"github.com/kubevela/kube-trigger/pkg/source/webhook/payload"
)

// maxDeliveryID limits the length of a delivery ID; longer ones are hashed.
const maxDeliveryID = 128

// decode returns the decoded request: one Payload, or one for each event of a batch. Its
// errors wrap those of payload.
func (h *hook) decode(r *http.Request, body []byte) ([]payload.Payload, error) {
	header := r.Header
	if h.auth.checkBody != nil && !h.trustHeaders {
		header = withoutCloudEvent(header)
	}
	sent, err := payload.Parse(r.Context(), header, body, h.maxBody)
	if err != nil {
		return nil, err
	}
	return splitEventGrid(r.Header, sent)
}

// events returns the events of a decoded request. Its errors wrap those of payload and
// image.
func (h *hook) events(r *http.Request, body []byte, sent []payload.Payload, now time.Time) ([]event.Event, error) {
	var all []draft
	for _, p := range sent {
		drafts, err := h.drafts(r, p)
		if err != nil {
			return nil, err
		}
		if all = append(all, drafts...); len(all) > payload.MaxBatch {
			return nil, fmt.Errorf("%w: more than %d events", payload.ErrTooLarge, payload.MaxBatch)
		}
	}
	request := h.requestID(r, body)
	events := make([]event.Event, len(all))
	for i, d := range all {
		id := request
		if own := h.ownID(d, request); own != "" {
			id = own
		} else if id != "" && len(all) > 1 {
			id = fmt.Sprintf("%s %d", request, i)
		}
		ev := d.event
		ev.ID, ev.Time = h.eventID(id), now
		ev.Key = cmp.Or(ev.Key, ev.ID)
		events[i] = ev
	}
	return events, nil
}

// draft is an event without its ID, and what may become its ID.
type draft struct {
	event event.Event
	// cloudEventID identifies the CloudEvent, senderID what a well-known sender states in
	// its JSON, and notificationID the notification of the registry. Each may be empty.
	cloudEventID, senderID, notificationID string
}

// requestID returns what identifies the delivery of a request, or "".
func (h *hook) requestID(r *http.Request, body []byte) string {
	if h.auth.contentID != nil {
		return h.auth.contentID(r, body)
	}
	id := r.Header.Get(h.deliveryHeader)
	if id == "" && h.senderNamesDelivery {
		_, id = senderOf(r.Header)
	}
	return id
}

// signedID identifies a delivery by its signed content: by the ID that a well-known sender
// states in JSON, or by a hash of the body and what else is signed. It does not depend on
// headers that are not signed, such as the content type.
func signedID(ctx context.Context, signed string, body []byte) string {
	if sent, err := payload.Parse(ctx, http.Header{}, body, int64(len(body))); err == nil {
		if _, id := bodySenderOf(sent[0].Body); id != "" {
			return id
		}
	}
	sum := sha256.Sum256(append([]byte(signed), body...))
	return hex.EncodeToString(sum[:])
}

// ownID returns what identifies an event instead of its request, or "". What is signed
// identifies the delivery, if something is.
func (h *hook) ownID(d draft, request string) string {
	switch {
	case h.replayWindow > 0:
		return ""
	case d.cloudEventID != "":
		return d.cloudEventID
	case request != "":
		return ""
	case h.senderNamesDelivery && d.senderID != "":
		return d.senderID
	}
	return d.notificationID
}

// drafts returns the events of a Payload: one, or those of a registry's notifications.
func (h *hook) drafts(r *http.Request, p payload.Payload) ([]draft, error) {
	eventType, senderID := bodySenderOf(p.Body)
	if named, _ := senderOf(r.Header); named != "" && h.auth.contentID == nil {
		eventType = named
	}
	d := draft{senderID: senderID, event: event.Event{Source: Type, Type: cmp.Or(r.Header.Get(h.auth.typeHeader), eventType)}}
	if p.CloudEvent != nil {
		d.event.Type = fmt.Sprint(p.CloudEvent["type"])
		d.event.Key = fmt.Sprintf("%s %v %v", h.trigger, p.CloudEvent["source"], p.CloudEvent["subject"])
		d.cloudEventID = fmt.Sprintf("%v %v", p.CloudEvent["source"], p.CloudEvent["id"])
	}
	if h.registry == "" {
		d.event.Type, d.event.Data = cmp.Or(d.event.Type, defaultEventType), h.data(r, p)
		return []draft{d}, nil
	}
	body, err := json.Marshal(p.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", payload.ErrMalformed, err)
	}
	notifications, err := image.Parse(h.registry, h.registryHost, d.event.Type, body)
	if err != nil {
		return nil, err
	}
	drafts := make([]draft, len(notifications))
	for i, n := range notifications {
		drafts[i] = d
		drafts[i].notificationID = n.ID
		ev := &drafts[i].event
		ev.Type = cmp.Or(n.Type, d.event.Type, defaultEventType)
		ev.Data = h.data(r, p)
		ev.Data["action"] = string(n.Action)
		ev.Data["images"] = imageData(n.Images)
		if len(n.Images) > 0 {
			ev.Data["image"] = imageData(n.Images[:1])[0]
			ev.Key = fmt.Sprintf("%s %s/%s", h.trigger, n.Images[0].Registry, n.Images[0].Repository)
		}
	}
	return drafts, nil
}

// defaultEventType is the type of an event whose sender states none.
const defaultEventType = "request"

// dataType returns the type of the data of events.
func dataType() datatype.Type {
	anything, text := datatype.Of(datatype.Any), datatype.Of(datatype.String)
	return datatype.Object(map[string]datatype.Type{
		"path":    text,
		"headers": {Kinds: datatype.Struct, LowerCase: true, Values: &text},
		"query":   datatype.MapOf(anything),
		"body":    anything, "cloudEvent": anything, "action": anything, "image": anything, "images": anything,
	})
}

// data returns the data of an event.
func (h *hook) data(r *http.Request, p payload.Payload) map[string]any {
	data := map[string]any{"path": h.path, "headers": h.headers(r.Header), "query": h.query(r), "body": p.Body}
	if p.CloudEvent != nil {
		data["cloudEvent"] = p.CloudEvent
	}
	return data
}

func imageData(images []image.Image) []any {
	out := make([]any, len(images))
	for i, img := range images {
		out[i] = map[string]any{"registry": img.Registry, "repository": img.Repository, "tag": img.Tag, "digest": img.Digest}
	}
	return out
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
	values := queryOf(r)
	for name := range values {
		if mayHoldSecret(name) || name == h.auth.secretQuery {
			delete(values, name)
		}
	}
	return payload.Values(values)
}

// queryOf returns the query parameters of a request, without malformed ones.
func queryOf(r *http.Request) url.Values {
	values, _ := payload.ParseQuery(r.URL.RawQuery)
	return values
}
