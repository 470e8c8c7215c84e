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
)

// A wait looks again after firstLook, and then after twice as long each time, up
// to lastLook.
const (
	minPollInterval = 50 * time.Millisecond
	maxPollInterval = 5 * time.Second
)

// wait reads an object until a field of it has one of the values that are asked
// for.
func (k kube) wait(ctx context.Context, params map[string]any) (map[string]any, error) {
	until, _ := params["until"].(map[string]any)
	path := str(until, "path")
	values, _ := until["in"].([]any)
	if path == "" || len(values) == 0 {
		return nil, &ParamError{Path: "until", Message: "needs a path and values"}
	}
	for pause := minPollInterval; ; pause = min(2*pause, maxPollInterval) {
		obj, err := k.get(ctx, params["resource"], "")
		if err != nil {
			return nil, err
		}
		value, _, err := unstructured.NestedFieldNoCopy(obj, strings.Split(path, ".")...)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", path, err)
		}
		if slices.Contains(values, value) {
			return obj, nil
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, fmt.Errorf("%s is %v: %w", path, value, context.Cause(ctx))
		}
	}
}
