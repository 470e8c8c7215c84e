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

// Package config reads triggers from files: YAML, JSON and CUE, one file or all
// of a directory, bare `triggers:` or TriggerService objects, several documents
// to a file. It finds every problem of every file, each with its place.
package config

import (
	"cmp"
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

// Parsed is a trigger as somebody wrote it.
type Parsed struct {
	// ID is its name and namespace. A trigger without a name has that of its
	// TriggerService or file, "-" and its index, from 0.
	ID   event.TriggerRef
	Spec v1alpha1.Trigger

	locator locator
	path    string
}

// Locate returns problems of the trigger at their places in its file. Their
// paths are relative to the trigger.
func (t Parsed) Locate(list diag.List) FileDiagnostics {
	out := make(FileDiagnostics, len(list))
	for i, p := range list {
		p.Path = diag.Join(t.path, p.Path)
		out[i] = t.locator.locate(p)
	}
	return out
}

// FileDiagnostic is a problem at its place in a file.
type FileDiagnostic struct {
	File string
	// Line and Column are from 1, or 0 where no place is known.
	Line, Column int
	// Path is the field: "triggers[0].filter".
	Path    string
	Message string
}

// String returns "file:line:column: path: message", without what is not known.
func (d FileDiagnostic) String() string {
	s := d.File
	if d.Line > 0 {
		s += fmt.Sprintf(":%d:%d", d.Line, d.Column)
	}
	if d.Path != "" {
		s += ": " + d.Path
	}
	return s + ": " + d.Message
}

// FileDiagnostics is everything that is wrong.
type FileDiagnostics []FileDiagnostic

// Error returns one diagnostic a line.
func (l FileDiagnostics) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Load reads the files at path and returns their triggers, as Read and
// Files.Load do.
func Load(path, namespace string) ([]Parsed, FileDiagnostics) {
	return Read(path).Load(namespace, func(string) string { return "" })
}

// Load returns the triggers of f. Those that belong to no namespace get the
// given one. Before a CUE file is evaluated, which can use up all memory or never
// end, refuse is asked: if it returns a reason, the file is left out, and the
// reason is its problem.
func (f Files) Load(namespace string, reject func(path string) string) ([]Parsed, FileDiagnostics) {
	envelope, err := schema.Parse(configSchema)
	if err != nil {
		return nil, FileDiagnostics{{File: f.Path, Message: err.Error()}}
	}
	l := loader{namespace: namespace, schema: envelope, diagnostics: slices.Clone(f.Diagnostics)}
	for _, file := range f.List {
		if isCUE(file.Path) {
			if reason := reject(file.Path); reason != "" {
				l.diagnostics = append(l.diagnostics, FileDiagnostic{File: file.Path, Message: reason})
				continue
			}
		}
		l.addFile(file)
	}
	if len(l.triggers) == 0 && len(l.diagnostics) == 0 {
		l.diagnostics = append(l.diagnostics, FileDiagnostic{File: f.Path, Message: "no triggers; a configuration starts with `triggers:`, or is a TriggerService"})
	}
	l.checkUnique()
	return l.triggers, l.diagnostics
}

// Sort orders diagnostics by file and place.
func (l FileDiagnostics) Sort() {
	slices.SortStableFunc(l, func(a, b FileDiagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

type loader struct {
	namespace   string
	schema      *schema.Schema
	triggers    []Parsed
	diagnostics FileDiagnostics
}

func (l *loader) addFile(f File) {
	docs, diagnostics := f.documents()
	l.diagnostics = append(l.diagnostics, diagnostics...)
	for _, d := range docs {
		l.addDocument(f.Path, d)
	}
}

// addDocument takes the triggers of one document.
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
	problems := l.schema.Check(spec)
	for _, p := range problems.WithPrefix(prefix) {
		l.diagnostics = append(l.diagnostics, d.locator.locate(p))
	}
	list, _ := spec["triggers"].([]any)
	if len(list) == 0 && len(problems) == 0 {
		l.addError(d, diag.Join(prefix, "triggers"), "holds no trigger")
	}
	for i, raw := range list {
		t := Parsed{locator: d.locator, path: diag.Join(prefix, fmt.Sprintf("triggers[%d]", i))}
		if err := decode(raw, &t.Spec); err != nil {
			if len(problems) == 0 { // else it is known what is wrong
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

// checkUnique reports triggers whose names are taken.
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
			Message: fmt.Sprintf("%q is taken by the trigger at %s:%d", t.ID.Name, position.File, position.Line),
		}})...)
	}
}

func (l *loader) addError(d document, path, format string, args ...any) {
	l.diagnostics = append(l.diagnostics, d.locator.locate(diag.Diagnostic{Path: path, Message: fmt.Sprintf(format, args...)}))
}
