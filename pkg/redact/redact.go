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

// Package redact keeps the values of Secrets out of all that leaves the process: errors,
// logs, status, dead letters, messages, and events that are sent. Servers may repeat request
// data in their responses.
//
// A value is replaced by a placeholder as it is, base64-decoded, and encoded: in base64 and
// hexadecimal, also as a part of a longer encoded text such as a user and password, quoted,
// or escaped for URLs, JSON and HTML, and twice in base64, JSON or URLs. Of each of these forms, any 8 consecutive bytes are
// replaced, so that a form that was cut is found, too. Of a value that is an HTTP URL, the
// host is kept where it occurs alone. Values that consist of several, such as the
// configuration of Docker, a connection string or an .env file, are replaced in part, too:
// the strings of JSON, passwords in URLs, and what follows names such as password or token.
//
// The time to redact a text is linear in the lengths of the text and of the values; the
// memory is linear in the length of the text.
package redact

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"sync"
)

const (
	// placeholder replaces a value.
	placeholder = "(redacted)"
	// minLength is the minimum length, in bytes, of a replaced value of a Secret object.
	// Shorter ones would match arbitrary text.
	minLength = 4
)

// Values are values to redact. It is safe for concurrent use.
type Values struct {
	mu sync.Mutex
	// pending are objects whose Secrets have not been collected.
	pending []any
	// lengths has the minimum length of a replaced form of each value.
	lengths map[string]int
	// annotations are texts that may contain a secret. Parts of them are no secrets.
	annotations map[string]struct{}
	// manifests are texts with Secrets that are replaced as a whole.
	manifests map[string]struct{}
	// credentials finds the credentials in values.
	credentials credentialFinder
}

// New returns the values of the Secrets in objects, which are decoded JSON. The objects
// are read when a text is redacted, and must not change.
func New(objects ...any) *Values { return &Values{pending: objects} }

// Begin returns the values of ctx. If it has none, it returns new ones, and a context
// with them.
func Begin(ctx context.Context) (context.Context, *Values) {
	if v, ok := ctx.Value(valuesKey{}).(*Values); ok {
		return ctx, v
	}
	v := New()
	return NewContext(ctx, v), v
}

// NewContext returns a context with the values v.
func NewContext(ctx context.Context, v *Values) context.Context {
	return context.WithValue(ctx, valuesKey{}, v)
}

type valuesKey struct{}

// Add adds a value, which is replaced whatever its length.
func (v *Values) Add(value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.add(value, 1)
}

// AddSecrets adds the values of all Secrets in data, which is decoded JSON. Values
// shorter than 4 bytes are not replaced.
func (v *Values) AddSecrets(data any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.addSecrets(data)
}

// AddStrings adds all strings in data, which is decoded JSON of a Secret. Values
// shorter than 4 bytes are not replaced.
func (v *Values) AddStrings(data any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.addStrings(data)
}

func (v *Values) addSecrets(data any) {
	walk(data, visitor{
		secret: func(secret map[string]any) {
			v.addStrings(secret["data"])
			v.addStrings(secret["stringData"])
			metadata, _ := secret["metadata"].(map[string]any)
			forEachString(metadata["annotations"], v.addAnnotation)
		},
		opaque: v.addManifest,
	})
}

func (v *Values) addManifest(text string) {
	if v.manifests == nil {
		v.manifests = map[string]struct{}{}
	}
	v.manifests[text] = struct{}{}
}

// addAnnotation adds an annotation of a Secret. kubectl copies the whole Secret into one,
// whose values are found as those of any other Secret.
func (v *Values) addAnnotation(text string) {
	if v.annotations == nil {
		v.annotations = map[string]struct{}{}
	}
	v.annotations[text] = struct{}{}
}

// addStrings adds the strings in data, and what they consist of.
func (v *Values) addStrings(data any) {
	forEachString(data, func(text string) { v.addValue(text, maxEncodings) })
}

// maxEncodings is the maximum number of encodings within each other that are decoded: base64
// of base64 of JSON, in which a credential is base64.
const maxEncodings = 4

// maxComposite is the maximum size, in bytes, of a value whose parts are values, too.
const maxComposite = 64 << 10

// addValue adds a value, the credentials in it, and what it encodes: text as base64, or the
// strings of JSON.
func (v *Values) addValue(text string, encodings int) {
	v.add(text, minLength)
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && encodings > 0 {
		v.addValue(string(decoded), encodings-1)
	}
	if len(text) > maxComposite {
		return
	}
	for _, c := range v.credentials.find(text) {
		v.add(c, minLength)
	}
	if encodings == 0 {
		return
	}
	forEachString(jsonObject(text), func(part string) {
		if len(part) >= windowLength { // shorter ones may be any word
			v.addValue(part, encodings-1)
		}
	})
}

func (v *Values) add(value string, length int) {
	if v.lengths == nil {
		v.lengths = map[string]int{}
	}
	if known, ok := v.lengths[value]; !ok || length < known {
		v.lengths[value] = length
	}
}

// Text returns text without the values, and without those of Secrets that text quotes as
// JSON: the API server quotes the whole object that a patch would make.
func (v *Values) Text(text string) string {
	v.addQuoted(text)
	return v.text(text, true)
}

// addQuoted adds the values of the Secrets in the JSON objects that text quotes.
func (v *Values) addQuoted(text string) {
	for {
		i := strings.Index(text, `"{\"`)
		if i < 0 {
			return
		}
		text = text[i:]
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return
		}
		text = text[len(quoted):]
		if object, err := strconv.Unquote(quoted); err == nil {
			v.AddSecrets(object)
		}
	}
}

// text returns text without the values, and without the annotations of Secrets if annotations
// is set.
func (v *Values) text(text string, annotations bool) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, data := range v.pending {
		v.addSecrets(data)
	}
	v.pending = nil
	if len(v.lengths)+len(v.annotations)+len(v.manifests) == 0 || text == "" {
		return text
	}
	s := newSearch(text)
	for manifest := range v.manifests {
		s.find(manifestForms(manifest), minLength)
	}
	for value, length := range v.lengths {
		s.find(forms(value), length)
	}
	if annotations {
		for text := range v.annotations {
			s.find(wholeForms(text), minLength)
		}
	}
	return s.redacted()
}

// Error returns err if its text contains none of the values. Otherwise it returns an
// error with the redacted text, in which errors.Is and errors.As find the errors that
// err wraps; their own texts are not redacted.
func (v *Values) Error(err error) error {
	if err == nil {
		return nil
	}
	if text := v.Text(err.Error()); text != err.Error() {
		return redactedError{err, text}
	}
	return err
}

type redactedError struct {
	err  error
	text string
}

func (e redactedError) Error() string { return e.text }

// Is implements errors.Is. There is no Unwrap, which would expose the text of err.
func (e redactedError) Is(target error) bool { return errors.Is(e.err, target) }

// As implements errors.As.
func (e redactedError) As(target any) bool { return errors.As(e.err, target) }
