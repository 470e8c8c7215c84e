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

package filter_test

import (
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
)

// TestGroup: a group is named by text, or by a number, such as that of a pull request
// (zephyrproject-rtos/zephyr#113289, getsentry/sentry#111753).
func TestGroup(t *testing.T) {
	data := map[string]any{
		"metadata": map[string]any{"name": "web-1", "namespace": "prod", "labels": map[string]any{"release": "web", "other": nil}},
		"spec":     map[string]any{"replicas": int64(3), "big": int64(9007199254740993), "paused": true, "secret": "s3cret"},
	}
	for text, want := range map[string]string{
		`context.data.metadata.labels.release`:                                         "web",
		`context.data.metadata.labels["release"]`:                                      "web",
		`"\(context.data.metadata.namespace)/\(context.data.metadata.labels.release)"`: "prod/web",
		`context.data.metadata.namespace + "-" + context.data.metadata.labels.release`: "prod-web",
		"import \"strings\"\nstrings.Split(context.data.metadata.name, \"-\")[0]":      "web",
		`*context.data.metadata.labels.app | "none"`:                                   "none",
		"let L = context.data.metadata.labels\n*L.release | \"none\"":                  "web",
		`"\(context.data.spec.replicas)"`:                                              "3",
		`context.trigger.name`:                                                         "t",
		`context.event.cluster`:                                                        "",
		`[if context.data.spec.replicas > 2 {"large"}, "small"][0]`:                    "large",
		`context.data.metadata.labels.app`:                                             "(none)",
		`"\(context.data.metadata.labels.app)"`:                                        "(none)",
		`context.data.metadata.labels.other`:                                           "(none)",
		`context.data.spec.replicas`:                                                   "3",
		`context.data.spec.big`:                                                        "9007199254740993",
		`context.data.spec.paused`:                                                     "error",
		`context.data.metadata.labels`:                                                 "error",
	} {
		g, list := filter.CompileGroup(text, event.Trigger{Name: "t"})
		if len(list) > 0 {
			t.Errorf("%s: %v", text, list)
			continue
		}
		for range 2 { // an evaluation leaves nothing behind
			name, ok, err := g.Group(t.Context(), event.Event{Data: data})
			if err != nil {
				name = "error"
			} else if !ok {
				name = "(none)"
			}
			if name != want {
				t.Errorf("%s: got %q, want %q (%v)", text, name, want, err)
			}
		}
	}
	g, list := filter.CompileGroup("context.data.spec", event.Trigger{})
	if len(list) > 0 {
		t.Fatal(list)
	}
	if _, _, err := g.Group(t.Context(), event.Event{Data: data}); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "1:1: context.data.spec: not a string or a number") {
		t.Errorf("got %v", err)
	}
}

func TestCompileGroup_Problems(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "must be one expression over context",
		"context: data: {}":            "must be one expression over context",
		"context.dta.metadata.name":    `did you mean "data"`,
		"context.data.x == 1":          "must be a string or a number, not a boolean",
		"[context.data.x]":             "must be a string or a number, not a list",
		"release":                      "release",
		"context.data.x +":             "",
		"import \"vela/kube\"\nkube.x": "cannot call providers",
	} {
		g, list := filter.CompileGroup(text, event.Trigger{})
		if len(list) == 0 || g != nil || !strings.Contains(list.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, list, want)
		}
	}
}
