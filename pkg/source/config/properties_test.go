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

package config_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/config"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/sources"
)

var update = flag.Bool("update", false, "rewrite testdata/problems.txtar")

func TestProperties(t *testing.T) {
	sources.Diagnostics(t, config.New(resource.Options{}).Compile, 8, *update)
}

// TestProperties_OwnComponent compiles ownComponent in a TriggerService of a component, which
// needs no objects.
func TestProperties_OwnComponent(t *testing.T) {
	spec := source.Spec{
		TriggerRef:  event.TriggerRef{Name: "t", Namespace: "n"},
		Application: event.Application{Name: "shop", Namespace: "n", Component: "web"},
	}
	if _, problems := config.New(resource.Options{}).Compile(map[string]any{"ownComponent": true}, spec); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestProperties_MaxObjects refuses more objects than may be watched.
func TestProperties_MaxObjects(t *testing.T) {
	compile := func(n int) string {
		var objects []any
		for i := range n {
			objects = append(objects, map[string]any{"kind": "Secret", "name": fmt.Sprint("s", i)})
		}
		_, problems := config.New(resource.Options{}).Compile(map[string]any{"objects": objects}, source.Spec{TriggerRef: event.TriggerRef{Name: "t"}})
		return problems.Error()
	}
	if got := compile(config.MaxObjects + 1); !strings.Contains(got, "objects: must have at most 100 elements, not 101") {
		t.Errorf("101 objects: %q", got)
	}
	if got := compile(config.MaxObjects); got != "" {
		t.Errorf("100 objects: %q", got)
	}
}
