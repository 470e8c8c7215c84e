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
// of a directory. A document has `triggers:` at the top level, or is a TriggerService, the
// Definition of an action or the definition of a workflow step; objects of other kinds are passed over. A YAML file may hold several
// documents. All problems of all files are reported, each with file, line and column.
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
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
)

//go:embed config.cue
var configSchema string

// OpenAPI returns the OpenAPI v3 schema of a document with triggers.
func OpenAPI() (map[string]any, error) {
	s, err := schema.Parse(configSchema)
	if err != nil {
		return nil, err
	}
	return s.OpenAPI()
}

// Service is a document of a file, as the TriggerService that it stands for. Its
// triggers are not compiled.
type Service struct {
	// The name is the file's, without extension, if the document has none; in a further
	// document whose triggers would have the same names, "-document-2" is appended.
	v1alpha1.TriggerService

	locator locator
	// prefix is the path of the spec in the document: "spec", or empty.
	prefix string
	// invalid has the indexes of triggers that could not be decoded. Their problems
	// are already reported.
	invalid map[int]bool
}

// Invalid reports whether the trigger at index could not be decoded.
func (s Service) Invalid(index int) bool { return s.invalid[index] }

// Locate adds the positions in the file to diagnostics whose paths are relative to the
// TriggerService.
func (s Service) Locate(list diag.List) diag.FileDiagnostics {
	out := make(diag.FileDiagnostics, len(list))
	for i, p := range list {
		p.Path = diag.Join(s.prefix, strings.TrimPrefix(strings.TrimPrefix(p.Path, "spec"), "."))
		out[i] = s.locator.locate(p)
	}
	return out
}

// Documents are the documents of files.
type Documents struct {
	Services    []Service
	Definitions []Definition
	// Others are the places of objects of other kinds, such as Roles, which are passed over.
	// The messages name them.
	Others diag.FileDiagnostics
}

// Load returns the documents of f: triggers and actions. Triggers without a namespace get the
// given one.
// Evaluation of CUE can use up all memory or never end, so reject is called before
// each CUE file is evaluated: if it returns a reason, the file is skipped and the
// reason is reported as its diagnostic.
func (f Files) Load(namespace string, reject func(path string) string) (Documents, diag.FileDiagnostics) {
	envelope, err := schema.Parse(configSchema)
	if err != nil {
		return Documents{}, diag.FileDiagnostics{{File: f.Path, Message: err.Error()}}
	}
	l := loader{namespace: namespace, schema: envelope, diagnostics: slices.Clone(f.Diagnostics)}
	for _, file := range f.List {
		if file.CUE {
			if reason := reject(file.Path); reason != "" {
				l.diagnostics = append(l.diagnostics, diag.FileDiagnostic{File: file.Path, Message: reason})
				continue
			}
		}
		l.addFile(file)
	}
	if f.Path != "" && len(l.Services)+len(l.Definitions)+len(l.Others) == 0 && len(l.diagnostics) == 0 {
		l.diagnostics = append(l.diagnostics, diag.FileDiagnostic{File: f.Path, Message: "no triggers; a configuration must have `triggers:` or be a TriggerService"})
	}
	return l.Documents, l.diagnostics
}

// loader collects the documents and diagnostics of all files.
type loader struct {
	Documents

	namespace   string
	schema      *schema.Schema
	diagnostics diag.FileDiagnostics
}

func (l *loader) addFile(f File) {
	docs, diagnostics := f.documents()
	l.diagnostics = append(l.diagnostics, diagnostics...)
	names := map[string]bool{}
	for i, d := range docs {
		l.addDocument(f.Path, i, d, names)
	}
}

// addDocument adds the document of a file at position. names has the names of the triggers
// in the file's earlier documents.
func (l *loader) addDocument(path string, position int, d document, names map[string]bool) {
	if isDefinition(d.value) {
		l.addDefinition(d)
		return
	}
	if step, ok := findStep(d.value); ok {
		l.addStep(d, step)
		return
	}
	if o := objectOf(d.value); o.isOther() {
		l.Others = append(l.Others, d.locator.locate(diag.Diagnostic{Message: o.String() + " is passed over"}))
		return
	} else if problem := o.problem(); problem != "" {
		l.addError(d, "", "%s", problem)
		return
	}
	named := false
	base := filepath.Base(path)
	s := Service{locator: d.locator, invalid: map[int]bool{}}
	s.Name, s.Namespace = strings.TrimSuffix(base, filepath.Ext(base)), l.namespace
	spec := d.value
	if _, isObject := spec["kind"]; isObject {
		meta, _ := spec["metadata"].(map[string]any)
		if name, ok := meta["name"].(string); ok {
			s.Name, named = name, true
		}
		if namespace, ok := meta["namespace"].(string); ok && namespace != "" {
			s.Namespace = namespace
		}
		s.prefix = "spec"
		if spec, isObject = spec["spec"].(map[string]any); !isObject {
			l.addError(d, s.prefix, "is required: an object")
			return
		}
	}
	diagnostics := l.schema.Check(spec)
	for _, p := range diagnostics.WithPrefix(s.prefix) {
		l.diagnostics = append(l.diagnostics, d.locator.locate(p))
	}
	list, _ := spec["triggers"].([]any)
	if len(list) == 0 && len(diagnostics) == 0 {
		l.addError(d, diag.Join(s.prefix, "triggers"), "at least one trigger is required")
	}
	if len(list) == 0 {
		return
	}
	s.Spec.Suspend = spec["suspend"] == true
	s.Spec.Triggers = make([]v1alpha1.Trigger, len(list))
	for i, raw := range list {
		err := decode(raw, &s.Spec.Triggers[i])
		s.invalid[i] = err != nil
		if err != nil && len(diagnostics) == 0 { // else the schema has reported it
			l.addError(d, diag.Join(s.prefix, fmt.Sprintf("triggers[%d]", i)), "%v", err)
		}
	}
	if !named {
		s.rename(position, names)
	}
	for i := range s.Spec.Triggers {
		names[s.TriggerName(i)] = true
	}
	l.Services = append(l.Services, s)
}

// rename gives a document without a name the name of its position, if otherwise a default
// name of one of its triggers would be one of names.
func (s *Service) rename(position int, names map[string]bool) {
	for i, t := range s.Spec.Triggers {
		if t.Name == "" && names[s.TriggerName(i)] {
			s.Name = fmt.Sprintf("%s-document-%d", s.Name, position+1)
			return
		}
	}
}

func decode(raw any, into *v1alpha1.Trigger) error {
	data, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

func (l *loader) addError(d document, path, format string, args ...any) {
	l.diagnostics = append(l.diagnostics, d.locator.locate(diag.Diagnostic{Path: path, Message: fmt.Sprintf(format, args...)}))
}
