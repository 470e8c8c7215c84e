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

package rehearsal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/rehearsal"
)

// recorder executes calls with objects, and keeps what was recorded.
func (e *env) recorder(answers ...rehearsal.Answer) (provider.Executor, *[]rehearsal.Call) {
	var calls []rehearsal.Call
	return rehearsal.Recorder{
		Executor: provider.New(provider.Options{Client: e.client, Namespace: "prod", Egress: rehearsal.NewEgress(answers)}),
		Record:   func(c rehearsal.Call) { calls = append(calls, c) },
	}, &calls
}

// TestRecorder_Secret reads a Secret, and sends it.
func TestRecorder_Secret(t *testing.T) {
	e := newEnv(t, `{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: prod}, stringData: {password: hunter2}}`)
	executor, calls := e.recorder(rehearsal.Answer{URL: "https://example.com/*", Status: 503})
	ctx, _ := redact.Begin(t.Context())
	resource := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "db", "namespace": "prod"}}
	if _, err := executor.Execute(ctx, provider.Call{Provider: "kube", Do: "get", Params: map[string]any{"resource": resource}}); err != nil {
		t.Fatal(err)
	}
	_, secrets := redact.Begin(ctx)
	secrets.AddStrings("hunter2")
	for _, url := range []string{"https://example.com/x", "https://example.org/x"} {
		_, err := executor.Execute(ctx, provider.Call{Provider: "http", Do: "do", Path: "send", Params: map[string]any{
			"method": "POST", "url": url, "requireOK": true, "request": map[string]any{"body": "the password is hunter2"},
		}})
		if status := (*provider.StatusError)(nil); errors.As(err, &status) != strings.Contains(url, ".com") {
			t.Errorf("%s: got %v", url, err)
		}
	}
	if got := fmt.Sprint(*calls); strings.Contains(got, "hunter2") || len(*calls) != 3 || !(*calls)[2].NotSent || (*calls)[0].NotSent || (*calls)[1].Error == "" {
		t.Errorf("got %s", got)
	}
}

// TestRecorder_Email sends nothing, and checks what would be sent.
func TestRecorder_Email(t *testing.T) {
	e := newEnv(t)
	executor, calls := e.recorder()
	params := map[string]any{
		"from": map[string]any{"address": "a@example.com", "host": "smtp.invalid", "port": int64(25)},
		"to":   []any{"b@example.com"}, "content": map[string]any{"subject": "s", "body": "b"},
	}
	if _, err := executor.Execute(t.Context(), provider.Call{Provider: "email", Do: "send", Params: params}); err != nil {
		t.Error(err)
	}
	params["to"] = []any{"nobody"}
	if _, err := executor.Execute(t.Context(), provider.Call{Provider: "email", Do: "send", Params: params}); err == nil {
		t.Error("an invalid address is accepted")
	}
	if len(*calls) != 2 || !(*calls)[0].NotSent || (*calls)[1].Error == "" {
		t.Errorf("got %v", *calls)
	}
}

// TestRecorder_Wait ends at once: nothing changes the object.
func TestRecorder_Wait(t *testing.T) {
	e := newEnv(t, deployment)
	executor, _ := e.recorder()
	wait := func(want int64) error {
		_, err := executor.Execute(t.Context(), provider.Call{Provider: "kube", Do: "wait", Params: map[string]any{
			"resource": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": "default"}},
			"until":    map[string]any{"path": "status.replicas", "in": []any{want}},
		}})
		return err
	}
	e.want("wait", wait(2), nil)
	e.want("wait", wait(3), func(err error) bool {
		return strings.HasSuffix(err.Error(), "value is 2: nothing else changes objects in a rehearsal")
	})
}
