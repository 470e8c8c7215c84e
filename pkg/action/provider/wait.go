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
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/sleep"
)

// The poll interval starts at minPollInterval and doubles up to maxPollInterval.
const (
	minPollInterval = 50 * time.Millisecond
	maxPollInterval = 5 * time.Second
)

// wait reads an object until the field at until.path has one of the values until.in.
// It returns an error if ctx ends first.
func wait(ctx context.Context, _ *executor, c client.Client, call Call) (Result, error) {
	until, _ := call.Params["until"].(map[string]any)
	path := str(until, "path")
	values, _ := until["in"].([]any)
	if path == "" || len(values) == 0 {
		return nil, &ParamError{Path: "until", Message: "must have a path and values"}
	}
	for interval := minPollInterval; ; interval = min(2*interval, maxPollInterval) {
		obj, err := readObject(ctx, c, call.Params["resource"], "")
		if err != nil {
			return nil, err
		}
		value, _, err := unstructured.NestedFieldNoCopy(obj, strings.Split(path, ".")...)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", path, err)
		}
		if slices.Contains(values, value) {
			return Result{"$returns": obj}, nil
		}
		if !sleep.For(ctx, clock.RealClock{}, interval) {
			return nil, fmt.Errorf("wait until %s: value is %v: %w", path, value, context.Cause(ctx))
		}
	}
}
