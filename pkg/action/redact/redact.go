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

// Package redact keeps the values of Secrets out of what actions say went wrong,
// which is logged, shown in status and kept with dead letters. An API server or
// another machine repeats in its answer what it was sent.
//
// What it takes out are the values of the Secret that an event is about, and of
// those that the action's calls have read, as they are, decoded, quoted, or
// escaped for a URL. A value shorter than 4 bytes stays: it hides nothing, and
// would be found everywhere.
package redact

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

const (
	// minLength is the length of values that are taken out, in bytes.
	minLength = 4
	// placeholder stands where a value was.
	placeholder = "(redacted)"
)

// Action wraps an action, whose calls an Executor of this package executes.
func Action(a action.Action) action.Action { return redactingAction{a, noValues} }

// Sequence wraps an action of several. What an earlier one has read, which a later
// one may be given, is taken out also where the earlier one is not repeated.
func Sequence(a action.Action) action.Action {
	return redactingAction{a, func(ctx context.Context) *values {
		v, _ := action.JournalValue(ctx, valuesKey{}, func() any { return &values{} }).(*values)
		return v
	}}
}

type redactingAction struct {
	action.Action
	// valuesFor returns the values that are known when an attempt begins.
	valuesFor func(ctx context.Context) *values
}

func noValues(context.Context) *values { return &values{} }

// Run implements action.Action.
func (r redactingAction) Run(ctx context.Context, ev event.Event) error {
	values := r.valuesFor(ctx)
	err := r.Action.Run(context.WithValue(ctx, valuesKey{}, values), ev)
	if err == nil {
		return nil
	}
	values.addSecrets(ev.Data)
	values.addSecrets(ev.Old)
	if text := values.redact(err.Error()); text != err.Error() {
		return redactedError{err: err, text: text}
	}
	return err
}

// Executor wraps what executes the calls of an action. A nil one stays nil.
func Executor(e provider.Executor) provider.Executor {
	if e == nil {
		return nil
	}
	return executor{e}
}

type executor struct{ provider.Executor }

// Execute implements provider.Executor.
func (e executor) Execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	result, err := e.Executor.Execute(ctx, call)
	if values, ok := ctx.Value(valuesKey{}).(*values); ok {
		if call.Provider == "config" {
			values.addStrings(map[string]any(result)) // what is in Secrets, and does not say so
		} else {
			values.addSecrets(map[string]any(result))
		}
	}
	return result, err
}

// valuesKey is that of the values in a context.
type valuesKey struct{}

// values are what has to be taken out. They are safe for concurrent use.
type values struct {
	mu   sync.Mutex
	list []string
}

// addSecrets notes the values of all Secrets within v, which is decoded JSON.
func (s *values) addSecrets(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["kind"] == "Secret" && v["apiVersion"] == "v1" {
			s.addStrings(v["data"])
			s.addStrings(v["stringData"])
			return
		}
		for _, e := range v {
			s.addSecrets(e)
		}
	case []any:
		for _, e := range v {
			s.addSecrets(e)
		}
	}
}

// addStrings notes all texts within v.
func (s *values) addStrings(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			s.addStrings(e)
		}
	case []any:
		for _, e := range v {
			s.addStrings(e)
		}
	case string:
		s.add(v)
		if plain, err := base64.StdEncoding.DecodeString(v); err == nil && utf8.Valid(plain) {
			s.add(string(plain))
		}
	}
}

func (s *values) add(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	quoted := strconv.Quote(value)
	for _, form := range []string{value, strings.TrimSpace(value), quoted[1 : len(quoted)-1], url.QueryEscape(value), url.PathEscape(value)} {
		if len(form) >= minLength && !slices.Contains(s.list, form) {
			s.list = append(s.list, form)
		}
	}
}

// redact returns text without the values.
func (s *values) redact(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The longest first: one may be part of another.
	slices.SortFunc(s.list, func(a, b string) int { return len(b) - len(a) })
	for _, value := range s.list {
		text = strings.ReplaceAll(text, value, placeholder)
	}
	return text
}

// redactedError is an error whose text is another one. Whether it is terminal, and
// what else it is, stays; errors that it wraps are not to be printed.
type redactedError struct {
	err  error
	text string
}

func (f redactedError) Error() string { return f.text }

// Is and As let callers ask what the error is without getting at its text.
func (f redactedError) Is(target error) bool { return errors.Is(f.err, target) }

// As implements what errors.As asks for.
func (f redactedError) As(target any) bool { return errors.As(f.err, target) }
