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

package redact_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/action/redact"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// start returns the Start of an action whose run is f.
func start(f func(ctx context.Context) error) redact.Start {
	return func(event.Event, map[string]any, *sync.Map) func(context.Context) (any, error) {
		return func(ctx context.Context) (any, error) { return nil, f(ctx) }
	}
}

// run runs an action once.
func run(t *testing.T, a redact.Start, ev event.Event) error {
	t.Helper()
	_, err := a(ev, nil, &sync.Map{})(t.Context())
	return err
}

type executorFunc func() provider.Result

func (f executorFunc) Execute(context.Context, provider.Call) (provider.Result, error) {
	return f(), nil
}

func secret(values map[string]any) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "Secret", "data": values}
}

func TestAction_RedactsSecrets(t *testing.T) {
	// "czNjcjN0ICJ4Ig==" is `s3cr3t "x"`.
	ofEvent := secret(map[string]any{"token": "czNjcjN0ICJ4Ig==", "short": "YQ=="})
	executor := redact.Executor(executorFunc(func() provider.Result {
		return provider.Result{"$returns": map[string]any{"items": []any{secret(map[string]any{"other": "b3RoZXI="})}}}
	}))
	failed := errors.New("failed")
	a := redact.Action(start(func(ctx context.Context) error {
		if _, err := executor.Execute(ctx, provider.Call{Provider: "kube", Do: "list"}); err != nil {
			return err
		}
		return action.Terminal(fmt.Errorf(`%w: a: czNjcjN0ICJ4Ig==, s3cr3t "x", %q, s3cr3t+%%22x%%22, other`, failed, `s3cr3t "x"`))
	}))
	err := run(t, a, event.Event{Data: ofEvent})
	const r = "(redacted)"
	if want := "failed: a: " + r + ", " + r + `, "` + r + `", ` + r + ", " + r; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if !action.IsTerminal(err) || !errors.Is(err, failed) {
		t.Errorf("error %v is not terminal or does not wrap the original error", err)
	}
}

func TestAction_KeepsOtherErrors(t *testing.T) {
	for name, data := range map[string]map[string]any{
		"no Secret":     {"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "plain"}},
		"another group": {"apiVersion": "x.y/v1", "kind": "Secret", "data": map[string]any{"a": "plain"}},
	} {
		failed := errors.New("is plain")
		a := redact.Action(start(func(context.Context) error { return failed }))
		if err := run(t, a, event.Event{Data: data}); !errors.Is(err, failed) || err.Error() != "is plain" {
			t.Errorf("%s: error is %v, want %v", name, err, failed)
		}
	}
	a := redact.Action(start(func(context.Context) error { return nil }))
	if err := run(t, a, event.Event{Data: secret(nil)}); err != nil {
		t.Errorf("error is %v, want none", err)
	}
}

func TestExecutor_Configs(t *testing.T) {
	executor := redact.Executor(executorFunc(func() provider.Result {
		return provider.Result{"$returns": map[string]any{"config": map[string]any{"password": "hunter2"}}}
	}))
	a := redact.Action(start(func(ctx context.Context) error {
		_, err := executor.Execute(ctx, provider.Call{Provider: "config", Do: "read"})
		return errors.Join(err, errors.New("wrong: hunter2"))
	}))
	if err := run(t, a, event.Event{}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error is %v, want one without the password", err)
	}
}
