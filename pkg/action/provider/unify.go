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

package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	cueerrors "cuelang.org/go/cue/errors"
	"github.com/kubevela/workflow/pkg/cue/model"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/number"
)

// patchValue unifies an object of the cluster with the parameter patch.
func patchValue(ctx context.Context, e *executor, c client.Client, call Call) (Result, error) {
	result, err := workflow(ctx, e, c, call)
	return result, unifyError(err)
}

// patchObject unifies the parameter value with the parameter patch.
func patchObject(_ context.Context, _ *executor, _ client.Client, call Call) (Result, error) {
	params := call.cue()
	if !call.Legacy {
		params = params.LookupPath(cue.MakePath(cue.Str("$params")))
	}
	object, err := model.NewBase(params.LookupPath(cue.MakePath(cue.Str("value"))))
	if err != nil {
		return nil, err
	}
	if err := object.Unify(params.LookupPath(cue.MakePath(cue.Str("patch")))); err != nil {
		return nil, unifyError(err)
	}
	data, err := object.Compile()
	if err != nil {
		return nil, unifyError(err)
	}
	patched, err := number.UnmarshalObject(data)
	if err != nil {
		return nil, err
	}
	return call.returns(map[string]any{"result": patched}), nil
}

// cue returns the call as a CUE value.
func (c Call) cue() cue.Value {
	if c.Value.Exists() {
		return c.Value
	}
	return cuecontext.New().Encode(number.Literals(map[string]any{"$params": c.Params}))
}

// unifyError returns the error of a unification without values, and with the way to replace
// a value instead. It is permanent. Other errors are returned as they are.
func unifyError(err error) error {
	var conflict cueerrors.Error
	if !errors.As(err, &conflict) {
		return err
	}
	return &ParamError{Path: "patch", Message: fmt.Sprintf(
		`the object has another value of %s, with which the patch is unified: write the comment "// +patchStrategy=retainKeys" `+
			`above the field to replace it ("// +patchKey=name" merges a list by a key), or use kube.#Patch with resource`,
		strings.Join(conflict.Path(), "."))}
}
