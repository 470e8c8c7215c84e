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

// Package payload decodes the bodies of webhook requests: JSON, forms, text and
// CloudEvents, also compressed.
//
// It accepts any input. Decoded values are limited by MaxValues and MaxDepth, so that
// a small body cannot become a large value.
package payload

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/number"
)

const (
	// MaxValues limits the number of values in a body.
	MaxValues = 50_000
	// MaxDepth limits the nesting of values.
	MaxDepth = 100
	// MaxBatch limits the events of a batch.
	MaxBatch = 500
)

var (
	// ErrUnsupported means that the content type, encoding or charset is not supported.
	ErrUnsupported = errors.New("unsupported media type")
	// ErrMalformed means that the body does not match its content type.
	ErrMalformed = errors.New("malformed body")
	// ErrTooLarge means that the body exceeds MaxValues, MaxDepth, MaxBatch or the limit in
	// bytes.
	ErrTooLarge = errors.New("too much in the body")
)

// Payload is a decoded request, or a decoded event of a batch.
type Payload struct {
	// Body consists of nil, bool, int64, float64, json.Number for numbers that neither
	// can hold, string, []any and map[string]any.
	// It is nil if the request has none. A form is a map of strings, or of lists of
	// strings for repeated names; its field "payload" is decoded if it is an object or a
	// list in JSON, and so is a form that is such a one as a whole. Plain
	// text is decoded if it is JSON, and a string otherwise. The data of a CloudEvent is
	// decoded if it is JSON, a string if it is text, and base64 otherwise.
	Body any
	// CloudEvent maps the names of a CloudEvent's attributes and extensions to their
	// values. It is nil if the request is not a CloudEvent.
	CloudEvent map[string]any
}

// Parse decodes a request, whose body has at most limit bytes once it is decompressed. It
// returns one Payload, or those of a batch of CloudEvents. Its errors wrap ErrUnsupported,
// ErrMalformed or ErrTooLarge.
func Parse(ctx context.Context, header http.Header, body []byte, limit int64) ([]Payload, error) {
	body, err := decompress(header, body, limit)
	if err != nil {
		return nil, err
	}
	if isCloudEvent(header) {
		return cloudEvents(ctx, header, body, limit)
	}
	value, err := parseBody(header, body, limit)
	return []Payload{{Body: value}}, err
}

// parseBody decodes the body of a request that is no CloudEvent.
func parseBody(header http.Header, body []byte, limit int64) (any, error) {
	mediaType, err := mediaTypeOf(header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	if body, err = toUTF8(header.Get("Content-Type"), body, limit); err != nil {
		return nil, err
	}
	switch {
	case len(body) == 0:
		return nil, nil
	case isJSON(mediaType):
		return decode(body)
	case mediaType == "application/x-www-form-urlencoded":
		return form(body)
	case mediaType == "text/plain":
		value, err := decode(body)
		if errors.Is(err, ErrMalformed) {
			return string(body), nil
		}
		return value, err
	case mediaType == "application/octet-stream":
		if value, err := decode(body); !errors.Is(err, ErrMalformed) {
			return value, err
		}
	}
	return nil, fmt.Errorf("%w: %q is neither JSON, a form, text, nor a CloudEvent", ErrUnsupported, mediaType)
}

// mediaTypeOf returns the media type of a content type. Defaults to JSON.
func mediaTypeOf(contentType string) (string, error) {
	if contentType == "" {
		return "application/json", nil
	}
	text, _, _ := strings.Cut(contentType, ";") // a parameter, also a malformed or repeated one, does not change the type
	mediaType, _, err := mime.ParseMediaType(text)
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrUnsupported, text, err)
	}
	return mediaType, nil
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || mediaType == "text/json" || strings.HasSuffix(mediaType, "+json")
}

// decode decodes JSON within MaxValues and MaxDepth.
func decode(body []byte) (any, error) {
	if err := checkSize(body); err != nil {
		return nil, err
	}
	value, err := number.Unmarshal(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return value, nil
}

// checkSize counts values and depth without decoding. It does not check that body is
// JSON.
func checkSize(body []byte) error {
	values, depth, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			values++
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' || c == ':':
			values++
		}
		if values > MaxValues {
			return fmt.Errorf("%w: more than %d", ErrTooLarge, MaxValues)
		}
		if depth > MaxDepth {
			return fmt.Errorf("%w: nested deeper than %d", ErrTooLarge, MaxDepth)
		}
	}
	return nil
}

// isContainer reports whether text may be an object or a list in JSON.
func isContainer(text string) bool {
	return strings.IndexAny(strings.TrimSpace(text), "{[") == 0
}

// form decodes a form, or an object or a list in JSON.
func form(body []byte) (any, error) {
	text := string(body)
	if strings.Count(text, "&") >= MaxValues {
		return nil, fmt.Errorf("%w: more than %d", ErrTooLarge, MaxValues)
	}
	// Clients such as curl call what they are given a form, unless they are told its type.
	if isContainer(text) {
		if value, err := decode(body); err == nil {
			return value, nil
		}
	}
	values, err := ParseQuery(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	out := Values(values)
	// Slack, GitHub and Travis CI send their JSON in this field.
	if text, ok := out["payload"].(string); ok && isContainer(text) {
		if out["payload"], err = decode([]byte(text)); err != nil {
			return nil, fmt.Errorf("field payload: %w", err)
		}
	}
	return out, nil
}

// ParseQuery parses a form or the query of a URL. A semicolon is a part of a value, as
// https://url.spec.whatwg.org/#urlencoded-parsing has it, and not an error. If there is an
// error, the result has what is not malformed.
func ParseQuery(text string) (url.Values, error) {
	return url.ParseQuery(strings.ReplaceAll(text, ";", "%3B"))
}

// Values converts a form or the query of a URL to the type of Payload.Body.
func Values(values url.Values) map[string]any {
	out := make(map[string]any, len(values))
	for name, all := range values {
		name = valid(name)
		if len(all) == 1 {
			out[name] = valid(all[0])
			continue
		}
		list := make([]any, len(all))
		for i, v := range all {
			list[i] = valid(v)
		}
		out[name] = list
	}
	return out
}

// valid replaces invalid UTF-8, which JSON cannot hold.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
