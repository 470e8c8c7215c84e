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

// Package config loads triggers from YAML, JSON and CUE files, or from all such files
// of a directory. A document has `triggers:` at the top level or is a TriggerService;
// a YAML file may hold several documents. All problems of all files are reported, each
// with file, line and column.
package config

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
)

//go:embed config.cue
var configSchema string

// Parsed is a trigger as it was parsed from a file. It is not compiled.
type Parsed struct {
	// ID is the name and namespace. The name defaults to the name of the
	// TriggerService or file, "-", and the trigger's index, which starts at 0.
	ID   event.TriggerRef
	Spec v1alpha1.Trigger

	locator locator
	path    string
}

// Locate adds the positions in the trigger's file to diagnostics whose paths are
// relative to the trigger.
func (t Parsed) Locate(list diag.List) diag.FileDiagnostics {
	out := make(diag.FileDiagnostics, len(list))
	for i, p := range list {
		p.Path = diag.Join(t.path, p.Path)
		out[i] = t.locator.locate(p)
	}
	return out
}

// Load returns the triggers of f. Triggers without a namespace get the given one.
// Evaluation of CUE can use up all memory or never end, so reject is called before
// each CUE file is evaluated: if it returns a reason, the file is skipped and the
// reason is reported as its diagnostic.
func (f Files) Load(namespace string, reject func(path string) string) ([]Parsed, diag.FileDiagnostics) {
	envelope, err := schema.Parse(configSchema)
	if err != nil {
		return nil, diag.FileDiagnostics{{File: f.Path, Message: err.Error()}}
	}
	l := loader{namespace: namespace, schema: envelope, diagnostics: slices.Clone(f.Diagnostics)}
	for _, file := range f.List {
		if isCUE(file.Path) {
			if reason := reject(file.Path); reason != "" {
				l.diagnostics = append(l.diagnostics, diag.FileDiagnostic{File: file.Path, Message: reason})
				continue
			}
		}
		l.addFile(file)
	}
	if len(l.triggers) == 0 && len(l.diagnostics) == 0 {
		l.diagnostics = append(l.diagnostics, diag.FileDiagnostic{File: f.Path, Message: "no triggers; a configuration must have `triggers:` or be a TriggerService"})
	}
	l.checkUnique()
	return l.triggers, l.diagnostics
}

// loader collects the triggers and diagnostics of all files.
type loader struct {
	namespace   string
	schema      *schema.Schema
	triggers    []Parsed
	diagnostics diag.FileDiagnostics
}

func (l *loader) addFile(f File) {
	docs, diagnostics := f.documents()
	l.diagnostics = append(l.diagnostics, diagnostics...)
	for _, d := range docs {
		l.addDocument(f.Path, d)
	}
}

// addDocument adds the triggers of one document.
func (l *loader) addDocument(path string, d document) {
	base := filepath.Base(path)
	name, namespace, prefix := strings.TrimSuffix(base, filepath.Ext(base)), l.namespace, ""
	spec := d.value
	if _, ok := spec["kind"]; ok || spec["apiVersion"] != nil {
		if spec["kind"] != v1alpha1.TriggerServiceKind || spec["apiVersion"] != v1alpha1.GroupVersion().String() {
			l.addError(d, "", "must be %s of %s, not %v of %v", v1alpha1.TriggerServiceKind, v1alpha1.GroupVersion(), spec["kind"], spec["apiVersion"])
			return
		}
		meta, _ := spec["metadata"].(map[string]any)
		if s, ok := meta["name"].(string); ok {
			name = s
		}
		if s, ok := meta["namespace"].(string); ok && s != "" {
			namespace = s
		}
		prefix = "spec"
		if spec, ok = spec["spec"].(map[string]any); !ok {
			l.addError(d, prefix, "is required: an object")
			return
		}
	}
	diagnostics := l.schema.Check(spec)
	for _, p := range diagnostics.WithPrefix(prefix) {
		l.diagnostics = append(l.diagnostics, d.locator.locate(p))
	}
	list, _ := spec["triggers"].([]any)
	if len(list) == 0 && len(diagnostics) == 0 {
		l.addError(d, diag.Join(prefix, "triggers"), "at least one trigger is required")
	}
	for i, raw := range list {
		t := Parsed{locator: d.locator, path: diag.Join(prefix, fmt.Sprintf("triggers[%d]", i))}
		if err := decode(raw, &t.Spec); err != nil {
			if len(diagnostics) == 0 { // else the schema has reported it
				l.addError(d, t.path, "%v", err)
			}
			continue
		}
		if spec["suspend"] == true {
			t.Spec.Suspend = true
		}
		t.ID = event.TriggerRef{Name: t.Spec.Name, Namespace: namespace}
		if t.ID.Name == "" {
			t.ID.Name = fmt.Sprintf("%s-%d", name, i)
		}
		l.triggers = append(l.triggers, t)
	}
}

func decode(raw any, into *v1alpha1.Trigger) error {
	data, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// checkUnique reports triggers that have the name of an earlier trigger.
func (l *loader) checkUnique() {
	first := map[event.TriggerRef]Parsed{}
	for _, t := range l.triggers {
		other, exists := first[t.ID]
		if !exists {
			first[t.ID] = t
			continue
		}
		position := other.locator.locate(diag.Diagnostic{Path: other.path})
		l.diagnostics = append(l.diagnostics, t.Locate(diag.List{{
			Path:    "name",
			Message: fmt.Sprintf("%q is already used by the trigger at %s:%d", t.ID.Name, position.File, position.Line),
		}})...)
	}
}

func (l *loader) addError(d document, path, format string, args ...any) {
	l.diagnostics = append(l.diagnostics, d.locator.locate(diag.Diagnostic{Path: path, Message: fmt.Sprintf(format, args...)}))
}
