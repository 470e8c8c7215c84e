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

package payload

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// isCloudEvent reports whether a request is a CloudEvent in binary or structured mode,
// or a batch of them.
func isCloudEvent(header http.Header) bool {
	return header.Get("Ce-Specversion") != "" || strings.HasPrefix(strings.ToLower(header.Get("Content-Type")), "application/cloudevents")
}

// cloudEvents decodes a CloudEvent in binary or structured mode, or a batch of them. A batch
// is decoded as a whole or not at all.
func cloudEvents(ctx context.Context, header http.Header, body []byte, limit int64) ([]Payload, error) {
	mediaType, err := mediaTypeOf(header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	switch {
	case !strings.HasPrefix(mediaType, "application/cloudevents"): // binary mode
	case mediaType != event.ApplicationCloudEventsJSON && mediaType != event.ApplicationCloudEventsBatchJSON:
		return nil, fmt.Errorf("%w: %q; CloudEvents must be in JSON", ErrUnsupported, mediaType)
	default:
		if body, err = toUTF8(header.Get("Content-Type"), body, limit); err != nil {
			return nil, err
		}
		if err := checkSize(body); err != nil {
			return nil, err
		}
	}
	if mediaType == event.ApplicationCloudEventsBatchJSON {
		return batch(ctx, body, limit)
	}
	one, err := cloudEvent(ctx, header, body, limit)
	return []Payload{one}, err
}

// batch decodes a batch, which may be empty.
func batch(ctx context.Context, body []byte, limit int64) ([]Payload, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("%w: must be a list of CloudEvents: %w", ErrMalformed, err)
	}
	if len(list) > MaxBatch {
		return nil, fmt.Errorf("%w: more than %d CloudEvents", ErrTooLarge, MaxBatch)
	}
	out := make([]Payload, len(list))
	for i, text := range list {
		one, err := cloudEvent(ctx, http.Header{"Content-Type": {event.ApplicationCloudEventsJSON}}, text, limit)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		out[i] = one
	}
	return out, nil
}

// cloudEvent decodes a CloudEvent in binary or structured mode.
func cloudEvent(ctx context.Context, header http.Header, body []byte, limit int64) (Payload, error) {
	ev, err := binding.ToEvent(ctx, cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body))))
	if err != nil {
		return Payload{}, fmt.Errorf("%w: CloudEvent: %w", ErrMalformed, err)
	}
	if err := ev.Validate(); err != nil {
		return Payload{}, fmt.Errorf("%w: CloudEvent: %s", ErrMalformed, strings.Join(strings.Fields(err.Error()), " "))
	}
	data, err := data(ev, limit)
	if err != nil {
		return Payload{}, err
	}
	return Payload{Body: data, CloudEvent: attributes(ev)}, nil
}

// data decodes the data of a CloudEvent as Payload.Body describes.
func data(ev *event.Event, limit int64) (any, error) {
	raw := ev.Data()
	if len(raw) == 0 {
		return nil, nil
	}
	mediaType, err := mediaTypeOf(ev.DataContentType())
	switch {
	case err != nil:
		return nil, err
	case isJSON(mediaType):
		if raw, err = toUTF8(ev.DataContentType(), raw, limit); err != nil {
			return nil, err
		}
		return decode(raw)
	case (strings.HasPrefix(mediaType, "text/") || strings.HasSuffix(mediaType, "xml")) && utf8.Valid(raw):
		return string(raw), nil
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// attributes returns the attributes and extensions that are set.
func attributes(ev *event.Event) map[string]any {
	out := map[string]any{}
	for name, value := range map[string]string{
		"specversion": ev.SpecVersion(), "id": ev.ID(), "source": ev.Source(), "type": ev.Type(),
		"subject": ev.Subject(), "datacontenttype": ev.DataContentType(), "dataschema": ev.DataSchema(),
	} {
		if value != "" {
			out[name] = valid(value)
		}
	}
	if t := ev.Time(); !t.IsZero() {
		out["time"] = t.UTC().Format(time.RFC3339Nano)
	}
	for name, value := range ev.Extensions() {
		out[name] = valid(fmt.Sprint(value))
	}
	return out
}
