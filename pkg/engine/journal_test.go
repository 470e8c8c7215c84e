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

package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/engine"
)

const twoPatches = `
import "vela/kube"

for n in ["first", "second"] {
	(n): kube.#Patch & {$params: {
		resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: n, namespace: "default"}}
		patch: {type: "merge", data: data: event: context.event.id}
	}}
}
`

type executorFunc func(call provider.Call) error

func (f executorFunc) Execute(_ context.Context, call provider.Call) (provider.Result, error) {
	return provider.Result{"$returns": map[string]any{}}, f(call)
}

func TestRetry_KeepsSucceededCalls(t *testing.T) {
	template, problems := action.Parse("two-patches", twoPatches)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var calls recorder
	refusals := 2
	act, problems := template.Compile(action.Options{Executor: executorFunc(func(call provider.Call) error {
		calls.add(call.Path)
		if call.Path == "second" && refusals > 0 {
			refusals--
			return errors.New("refused")
		}
		return nil
	})})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	synctest.Test(t, func(t *testing.T) {
		h := start(t, engine.Options{}, triggerSpec{Steps: []engine.Step{{Start: act.Start}}})
		h.deliver("a", "1")
		h.deliver("a", "2")
		advance(time.Minute)
		h.wantOutcomes("1", engine.Failed, engine.Failed, engine.Succeeded)
		h.wantOutcomes("2", engine.Succeeded)
		calls.want(t, "first", "second", "second", "second", "first", "second")
		h.stop()
	})
}
