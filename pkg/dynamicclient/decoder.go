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

package dynamicclient

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// maxEvent is the maximum size of an event in a stream, in bytes, as in client-go.
const maxEvent = 16 << 20

// errTooLarge is returned while an event is read that has more than maxEvent bytes.
var errTooLarge = errors.New("an event has more than 16 MiB")

// decoder decodes a watch stream: a sequence of {"type": …, "object": …}. It implements
// watch.Decoder.
type decoder struct {
	body io.ReadCloser
	json *jsontext.Decoder
	// limit is the number of bytes up to which the current event may be read.
	limit, read int64
}

func newDecoder(body io.ReadCloser) *decoder {
	d := &decoder{body: body}
	d.json = jsontext.NewDecoder(limited{d}, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return d
}

// limited reads the body up to the limit.
type limited struct{ *decoder }

func (r limited) Read(p []byte) (int, error) {
	if r.read >= r.limit {
		return 0, errTooLarge
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.limit-r.read)])
	r.decoder.read += int64(n)
	return n, err
}

// Close implements watch.Decoder.
func (d *decoder) Close() { _ = d.body.Close() }

// Decode implements watch.Decoder.
func (d *decoder) Decode() (watch.EventType, runtime.Object, error) {
	d.limit = d.json.InputOffset() + maxEvent
	if err := d.open(); err != nil {
		return "", nil, err
	}
	var (
		kind   watch.EventType
		object any
	)
	for d.json.PeekKind() != '}' {
		name, err := d.text()
		if err != nil {
			return "", nil, err
		}
		switch name {
		case "type":
			text, err := d.text()
			if err != nil {
				return "", nil, err
			}
			kind = watch.EventType(text)
		case "object":
			if object, err = d.value(inObject); err != nil {
				return "", nil, err
			}
		default:
			if err := d.json.SkipValue(); err != nil {
				return "", nil, unexpected(err)
			}
		}
	}
	if _, err := d.json.ReadToken(); err != nil {
		return "", nil, unexpected(err)
	}
	return decoded(kind, object)
}

// decoded returns an event of a stream with its object.
func decoded(kind watch.EventType, object any) (watch.EventType, runtime.Object, error) {
	switch kind {
	case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark, watch.Error:
	default:
		return "", nil, fmt.Errorf("unknown type of event %q", kind)
	}
	fields, _ := object.(map[string]any)
	o := &unstructured.Unstructured{Object: fields}
	if o.GetKind() == "" {
		return "", nil, fmt.Errorf("the object of a %s event has no kind", kind)
	}
	if o.GetKind() != "Status" || o.GetAPIVersion() != "v1" {
		return kind, o, nil
	}
	status := &metav1.Status{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, status); err != nil {
		return "", nil, fmt.Errorf("a status: %w", err)
	}
	return kind, status, nil
}

// place is where a value is in an object.
type place int

const (
	elsewhere place = iota
	inObject
	inMetadata
	inManagedFields
)

// of returns the place of a field.
func (p place) of(name string) place {
	switch {
	case p == inObject && name == "metadata":
		return inMetadata
	case p == inMetadata && name == "managedFields":
		return inManagedFields
	}
	return elsewhere
}

// value returns the next value as the decoder of client-go does: integers are int64, all other numbers
// float64.
func (d *decoder) value(at place) (any, error) {
	token, err := d.json.ReadToken()
	if err != nil {
		return nil, unexpected(err)
	}
	switch token.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return token.Bool(), nil
	case '"':
		return token.String(), nil
	case '0':
		return parseNumber(token.String())
	case '[':
		return d.list(at)
	}
	return d.object(at)
}

func (d *decoder) list(at place) (any, error) {
	if at != inManagedFields {
		at = elsewhere
	}
	list := []any{}
	for d.json.PeekKind() != ']' {
		v, err := d.value(at)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.json.ReadToken()
	return list, unexpected(err)
}

func (d *decoder) object(at place) (any, error) {
	object := map[string]any{}
	for d.json.PeekKind() != '}' {
		name, err := d.text()
		if err != nil {
			return nil, err
		}
		if at == inManagedFields && name == "fieldsV1" {
			if err := d.json.SkipValue(); err != nil {
				return nil, unexpected(err)
			}
			continue
		}
		if object[name], err = d.value(at.of(name)); err != nil {
			return nil, err
		}
	}
	_, err := d.json.ReadToken()
	return object, unexpected(err)
}

func parseNumber(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	return strconv.ParseFloat(text, 64)
}

// text reads a text.
func (d *decoder) text() (string, error) {
	token, err := d.json.ReadToken()
	switch {
	case err != nil:
		return "", unexpected(err)
	case token.Kind() != '"':
		return "", fmt.Errorf("%s instead of a text", token.Kind())
	}
	return token.String(), nil
}

// open reads the begin of an event. The error is io.EOF at the end of the stream.
func (d *decoder) open() error {
	token, err := d.json.ReadToken()
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return unexpected(err)
	case token.Kind() != '{':
		return fmt.Errorf("%s instead of an event", token.Kind())
	}
	return nil
}

// unexpected returns the error of a stream that ends within an event as the StreamWatcher expects it, and
// all others as they are.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
