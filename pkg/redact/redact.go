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

// Package redact keeps the values of Secrets out of texts for people: errors, logs,
// status, dead letters. Servers may repeat request data in their responses.
//
// A value is replaced by a placeholder as it is, base64-decoded, quoted, or escaped for
// URLs. Of a value that is a URL, its path, its query, and long parts of them are
// replaced, too.
package redact

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
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
	// minTokenLength is the minimum length, in bytes, of a part of a URL that may be a
	// token. Shorter parts are words such as "hook".
	minTokenLength = 8
)

// Values are values to redact. It is safe for concurrent use.
type Values struct {
	mu sync.Mutex
	// pending are objects whose Secrets have not been collected.
	pending []any
	// lengths has the minimum length of a replaced form of each value.
	lengths map[string]int
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
	forEachSecret(data, func(secret map[string]any) {
		for _, field := range secretFields(secret) {
			v.addStrings(field)
		}
	})
}

func (v *Values) addStrings(data any) {
	forEachString(data, func(text string) {
		v.add(text, minLength)
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
			v.add(string(decoded), minLength)
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

// Text returns text without the values.
func (v *Values) Text(text string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, data := range v.pending {
		v.addSecrets(data)
	}
	v.pending = nil
	if len(v.lengths) == 0 {
		return text
	}
	// Values may overlap: one may contain another.
	hidden := make([]bool, len(text))
	for value, length := range v.lengths {
		for _, form := range forms(value) {
			if len(form) >= length && strings.Trim(form, "/") != "" {
				hide(hidden, text, form)
			}
		}
	}
	var b strings.Builder
	for i := range len(text) {
		if !hidden[i] {
			b.WriteByte(text[i])
		} else if i == 0 || !hidden[i-1] {
			b.WriteString(placeholder)
		}
	}
	return b.String()
}

// hide sets hidden for each byte of text that belongs to form.
func hide(hidden []bool, text, form string) {
	for from := 0; ; from++ {
		i := strings.Index(text[from:], form)
		if i < 0 {
			return
		}
		from += i
		for j := range len(form) {
			hidden[from+j] = true
		}
	}
}

// forms returns the texts in which value may occur. They may be empty.
func forms(value string) []string {
	quoted := strconv.Quote(value)
	all := []string{
		value, strings.TrimSpace(value), quoted[1 : len(quoted)-1], strings.Trim(quoted, `"`),
		url.QueryEscape(value), url.PathEscape(value),
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		return all
	}
	all = append(all, u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery)
	parts := strings.Split(u.Path, "/")
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	for _, part := range parts {
		if len(part) >= minTokenLength {
			all = append(all, part)
		}
	}
	return all
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
