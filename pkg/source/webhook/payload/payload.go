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

// Package payload reads what a webhook is sent: JSON, forms, and CloudEvents.
//
// It takes any input. What it returns is bounded by MaxValues and MaxDepth, so
// that a small body does not become a large value.
package payload

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/util/json"
)

const (
	// MaxValues is how many values a body may hold.
	MaxValues = 50_000
	// MaxDepth is how deep they may be nested.
	MaxDepth = 100
)

var (
	// ErrUnsupported says that the content type is not one that is read.
	ErrUnsupported = errors.New("unsupported content type")
	// ErrMalformed says that the body is not what its content type says.
	ErrMalformed = errors.New("malformed body")
	// ErrTooLarge says that the body has too many values.
	ErrTooLarge = errors.New("too many values in the body")
)

// Payload is what was sent.
type Payload struct {
	// Body is decoded JSON: nil, bool, int64, float64, string, []any and
	// map[string]any. Of a form it has a string for each name, or a list of them
	// where the name is repeated. Of a CloudEvent it is the data: a string where
	// that is text, in base64 where it is neither text nor JSON.
	Body any
	// CloudEvent has the attributes and extensions of a CloudEvent, by name; it
	// is nil where the request is none.
	CloudEvent map[string]any
}

// Parse reads a body. Its errors are one of this package's, with details.
func Parse(ctx context.Context, header http.Header, body []byte) (Payload, error) {
	if isCloudEvent(header) {
		return cloudEvent(ctx, header, body)
	}
	kind, err := contentType(header)
	if err != nil {
		return Payload{}, err
	}
	switch {
	case isJSON(kind):
		value, err := decode(body)
		return Payload{Body: value}, err
	case kind == "application/x-www-form-urlencoded":
		return form(body)
	}
	return Payload{}, fmt.Errorf("%w: %q is neither JSON, a form, nor a CloudEvent", ErrUnsupported, kind)
}

// contentType returns the media type of a request; JSON where it has none.
func contentType(header http.Header) (string, error) {
	text := header.Get("Content-Type")
	if text == "" {
		return "application/json", nil
	}
	kind, _, err := mime.ParseMediaType(text)
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrUnsupported, text, err)
	}
	return kind, nil
}

func isJSON(kind string) bool {
	return kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json")
}

// decode reads JSON.
func decode(body []byte) (any, error) {
	if err := checkSize(body); err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return value, nil
}

// checkSize refuses JSON that is too large to be decoded. It reads what is not
// JSON as if it were.
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

func form(body []byte) (Payload, error) {
	text := string(body)
	if strings.Count(text, "&") >= MaxValues {
		return Payload{}, fmt.Errorf("%w: more than %d", ErrTooLarge, MaxValues)
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return Payload{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return Payload{Body: Values(values)}, nil
}

// Values returns a form, or the query of a URL, as Payload.Body has it.
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

// valid returns text as JSON can hold it.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
