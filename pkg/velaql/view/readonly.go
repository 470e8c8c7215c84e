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

package view

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// readOnlyExecutor executes the calls of views. It rejects calls that are not
// read-only and removes the data of Secrets from results.
type readOnlyExecutor struct{ next provider.Executor }

// Execute implements provider.Executor. Only a "not found" error is left to the view.
func (r readOnlyExecutor) Execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	if !provider.IsInViews(call) {
		return nil, action.Terminal(fmt.Errorf("views are read-only: %s.%s is only available in actions", call.Provider, call.Do))
	}
	handled := call.HandlesErr
	call.HandlesErr = false
	result, err := r.next.Execute(ctx, call)
	if err != nil && handled && apierrors.IsNotFound(err) {
		call.HandlesErr = true
		result, err = r.next.Execute(ctx, call)
	}
	if err != nil {
		return nil, err
	}
	return redact.Public(result), nil
}
