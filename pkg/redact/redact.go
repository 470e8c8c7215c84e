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

// Package redact removes the values of Secrets from the errors of actions, which appear
// in logs, status and dead letters. Servers may repeat request data in their
// responses.
//
// It replaces the values of Secrets in the event and in the results of the action's
// calls: as they are, decoded, quoted, or escaped for URLs. Values shorter than 4
// bytes are not replaced, because they would match arbitrary text.
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

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

const (
	// minLength is the minimum length of a redacted value, in bytes.
	minLength = 4
	// placeholder replaces a value.
	placeholder = "(redacted)"
)

// Start begins the handling of an event, as (*action.Action).Start does.
type Start = func(ev event.Event, results map[string]any, shared *sync.Map) (run func(ctx context.Context) (any, error))

// Action returns a Start whose run redacts the errors of start's. The calls of the
// action must be executed by an Executor of this package. Values that earlier attempts
// and, through shared, earlier actions for the event have read are redacted, too.
func Action(start Start) Start {
	return func(ev event.Event, results map[string]any, shared *sync.Map) func(ctx context.Context) (any, error) {
		stored, _ := shared.LoadOrStore(valuesKey{}, &values{})
		values, _ := stored.(*values)
		run := start(ev, results, shared)
		return func(ctx context.Context) (any, error) {
			result, err := run(context.WithValue(ctx, valuesKey{}, values))
			if err == nil {
				return result, nil
			}
			values.addSecrets(ev.Data)
			values.addSecrets(ev.Old)
			if text := values.redact(err.Error()); text != err.Error() {
				return nil, redactedError{err: err, text: text}
			}
			return nil, err
		}
	}
}

// Executor returns an Executor that records the values of Secrets in the results of e.
// It returns nil if e is nil.
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
			values.addStrings(map[string]any(result)) // configs are stored in Secrets
		} else {
			values.addSecrets(map[string]any(result))
		}
	}
	return result, err
}

// valuesKey is the context key of the values.
type valuesKey struct{}

// values are the values to redact. It is safe for concurrent use.
type values struct {
	mu   sync.Mutex
	list []string
}

// addSecrets adds the values of all Secrets in v, which is decoded JSON.
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

// addStrings adds all strings in v, and their base64-decoded text.
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

// redact replaces the values in text.
func (s *values) redact(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Longest first, because a value may contain another.
	slices.SortFunc(s.list, func(a, b string) int { return len(b) - len(a) })
	for _, value := range s.list {
		text = strings.ReplaceAll(text, value, placeholder)
	}
	return text
}

// redactedError has the redacted text of err. errors.Is and errors.As see the errors
// that err wraps; their own text is not redacted.
type redactedError struct {
	err  error
	text string
}

func (f redactedError) Error() string { return f.text }

// Is implements errors.Is. There is no Unwrap, which would expose the text of err.
func (f redactedError) Is(target error) bool { return errors.Is(f.err, target) }

// As implements errors.As.
func (f redactedError) As(target any) bool { return errors.As(f.err, target) }
