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

package action_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
)

func secret(values map[string]any) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "Secret", "data": values}
}

// readThenPatch reads an object, then patches it.
const readThenPatch = `import "vela/kube"
read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: "x"}}
patch: kube.#Patch & {$params: {resource: read.$returns, patch: data: {}}}`

func TestRun_RedactsSecrets(t *testing.T) {
	failed := errors.New("failed")
	s := &recorder{answer: func(c provider.Call) (provider.Result, error) {
		if c.Do == "get" {
			return provider.Result{"$returns": map[string]any{"items": []any{secret(map[string]any{"other": "b3RoZXI="})}}}, nil
		}
		return nil, action.Terminal(fmt.Errorf(`%w: a: czNjcjN0ICJ4Ig==, s3cr3t "x", %q, s3cr3t+%%22x%%22, other`, failed, `s3cr3t "x"`))
	}}
	// "czNjcjN0ICJ4Ig==" is `s3cr3t "x"`.
	ev := event.Event{Data: secret(map[string]any{"token": "czNjcjN0ICJ4Ig==", "short": "YQ=="})}
	_, err := compile(t, readThenPatch, nil, s).Start(nil, nil)(t.Context(), ev)
	const r = "(redacted)"
	if want := "patch (kube.patch): failed: a: " + r + ", " + r + `, "` + r + `", ` + r + ", " + r; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if !action.IsTerminal(err) || !errors.Is(err, failed) {
		t.Errorf("error %v is not terminal or does not wrap the original error", err)
	}
}

func TestRun_KeepsOtherErrors(t *testing.T) {
	for name, data := range map[string]map[string]any{
		"no Secret":     {"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "plain"}},
		"another group": {"apiVersion": "x.y/v1", "kind": "Secret", "data": map[string]any{"a": "plain"}},
	} {
		failed := errors.New("is plain")
		s := &recorder{answer: func(provider.Call) (provider.Result, error) { return nil, failed }}
		_, err := compile(t, readThenPatch, nil, s).Start(nil, nil)(t.Context(), event.Event{Data: data})
		if !errors.Is(err, failed) || err.Error() != "read (kube.get): is plain" {
			t.Errorf("%s: error is %v, want %v", name, err, failed)
		}
	}
	s := &recorder{answer: returnUID}
	if _, err := compile(t, readThenPatch, nil, s).Start(nil, nil)(t.Context(), event.Event{Data: secret(nil)}); err != nil {
		t.Errorf("error is %v, want none", err)
	}
}

// TestRun_RedactsConfigs redacts configs, which are stored in Secrets, also in the
// errors of later actions for the event.
func TestRun_RedactsConfigs(t *testing.T) {
	for source, result := range map[string]provider.Result{
		`import "vela/config"
read: config.#ReadConfig & {$params: {name: "n", namespace: "ns"}}`: {"$returns": map[string]any{"config": map[string]any{"password": "hunter2"}}},
		`import "vela/op"
read: op.#ReadConfig & {name: "n", namespace: "ns"}`: {"config": map[string]any{"password": "hunter2"}},
	} {
		reads := &recorder{answer: func(provider.Call) (provider.Result, error) { return result, nil }}
		fails := &recorder{answer: func(provider.Call) (provider.Result, error) { return nil, errors.New("wrong: hunter2") }}
		var shared sync.Map
		if _, err := compile(t, source, nil, reads).Start(nil, &shared)(t.Context(), event.Event{}); err != nil || len(reads.calls) != 1 {
			t.Fatalf("%v after %d calls", err, len(reads.calls))
		}
		_, err := compile(t, readThenPatch, nil, fails).Start(nil, &shared)(t.Context(), event.Event{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error is %v, want one without the password", err)
		}
	}
}
