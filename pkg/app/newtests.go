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

package app

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
)

// TestPath returns the path of the tests of the triggers at path, which is beside them.
func TestPath(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + config.TestSuffix
}

// newTest is a test with one event.
type newTest struct {
	Name     string           `json:"name"`
	Triggers []string         `json:"triggers"`
	Objects  []map[string]any `json:"objects,omitempty"`
	Steps    []map[string]any `json:"steps"`
}

// NewTests writes a file with a test of each trigger of the configuration at triggers: an event of
// its source, and what happens then. file must not exist; StdinPath prints what is not yet
// expected to stdout.
func NewTests(ctx context.Context, triggers, actionsDir, file string, stdout io.Writer) error {
	cfg, err := readConfig(triggers, actionsDir)
	if err != nil {
		return err
	}
	compiled, err := cfg.checkAndCompile(ctx, clients{})
	if err != nil {
		return err
	}
	directory := filepath.Dir(file)
	if file == StdinPath {
		directory = "."
	}
	out := struct {
		Config     string    `json:"config"`
		ActionsDir string    `json:"actionsDir,omitempty"`
		Tests      []newTest `json:"tests"`
	}{Config: relativeTo(directory, triggers), ActionsDir: relativeTo(directory, actionsDir)}
	for _, r := range compiled.rules {
		out.Tests = append(out.Tests, r.newTest())
	}
	text, err := yaml.Marshal(out)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Run it with: kube-trigger test %s\n# What is expected is what happens now: change the events and, with --update, see what happens then.\n%s", filepath.Base(file), text)
	if err := WriteNew(file, b.Bytes(), stdout); err != nil || file == StdinPath {
		return err
	}
	_, err = Test(ctx, TestOptions{Paths: []string{file}, Update: true})
	return err
}

// relativeTo returns path as seen from directory; empty if it is empty.
func relativeTo(directory, path string) string {
	if path == "" {
		return ""
	}
	if relative, err := filepath.Rel(directory, path); err == nil {
		return relative
	}
	return path
}

// newTest returns a test with an event of the trigger's source.
func (r rule) newTest() newTest {
	t := newTest{Name: r.Name, Triggers: []string{r.Name}}
	step := map[string]any{"expect": map[string]any{}}
	watch := r.Subscription.Watch()
	switch {
	case r.SourceType == cron.Type:
		step["time"] = "+24h"
	case r.SourceType == webhook.Type:
		step["request"] = map[string]any{
			"path": r.property("path"), "headers": map[string]any{"X-Delivery-Id": "1"}, "body": map[string]any{},
		}
	case watch == nil:
		step["event"] = map[string]any{"sourceType": r.SourceType, "event": map[string]any{"type": "update", "id": "1"}, "data": map[string]any{}}
	default:
		object := sampleOf(*watch)
		switch {
		case len(watch.Types) == 0 || slices.Contains(watch.Types, event.Update):
			t.Objects, step["patch"] = []map[string]any{object}, change(object)
		case slices.Contains(watch.Types, event.Delete):
			t.Objects, step["delete"] = []map[string]any{object}, object
		default:
			step["apply"] = object
		}
	}
	t.Steps = []map[string]any{step}
	return t
}

// property returns a property of the source.
func (r rule) property(name string) any {
	if r.spec.Source.Properties == nil {
		return nil
	}
	properties, err := number.UnmarshalObject(r.spec.Source.Properties.Raw)
	if err != nil {
		return nil
	}
	return properties[name]
}

// sampleOf returns an object that is watched, as far as its kind and metadata say.
func sampleOf(w source.Watch) map[string]any {
	apiVersion, kind := w.Kind.ToAPIVersionAndKind()
	metadata := map[string]any{"name": cmp.Or(w.Name, "sample")}
	if !rights.IsClusterScoped(w.Kind.GroupKind()) {
		metadata["namespace"] = cmp.Or(w.Namespace, "default")
	}
	if selector, err := labels.Parse(w.Labels); err == nil {
		requirements, _ := selector.Requirements()
		selected := map[string]any{}
		for _, r := range requirements {
			if op := r.Operator(); op == selection.Equals || op == selection.DoubleEquals || op == selection.In {
				selected[r.Key()] = r.Values().List()[0]
			} else if op == selection.Exists {
				selected[r.Key()] = ""
			}
		}
		if len(selected) > 0 {
			metadata["labels"] = selected
		}
	}
	return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
}

// change returns a merge patch that changes the object.
func change(object map[string]any) map[string]any {
	patch := map[string]any{"apiVersion": object["apiVersion"], "kind": object["kind"]}
	metadata, _ := object["metadata"].(map[string]any)
	named := map[string]any{"name": metadata["name"]}
	if namespace, ok := metadata["namespace"]; ok {
		named["namespace"] = namespace
	}
	patch["metadata"] = named
	switch object["kind"] {
	case "ConfigMap":
		patch["data"] = map[string]any{"color": "blue"}
	case "Secret":
		patch["data"] = map[string]any{"color": "Ymx1ZQ=="} // in base64
	default:
		named["annotations"] = map[string]any{"example.com/changed": "yes"}
	}
	return patch
}
