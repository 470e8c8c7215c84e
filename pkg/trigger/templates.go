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

package trigger

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

// A Template returns an action template, or its problems. It may parse the template at
// the first call. It is safe for concurrent use.
type Template func() (*action.Template, diag.List)

// Parsed returns t as a Template.
func Parsed(t *action.Template) Template {
	return func() (*action.Template, diag.List) { return t, nil }
}

// Invalid returns a template with problems that the user learns of elsewhere: those of a
// trigger that uses it are secondary.
func Invalid(problems diag.List) Template {
	problems = slices.Clone(problems)
	for i := range problems {
		problems[i].Secondary = true
	}
	return func() (*action.Template, diag.List) { return nil, problems }
}

// BuiltIn returns the templates of the *.cue files in fsys, which are valid, by action type: the
// file name without ".cue". A template is parsed when a trigger first uses it.
func BuiltIn(fsys fs.FS) (map[string]Template, error) {
	files, err := fs.Glob(fsys, templatePattern)
	if err != nil {
		return nil, err
	}
	templates, parser := make(map[string]Template, len(files)), action.NewParser()
	for _, file := range files {
		templates[typeOf(file)] = sync.OnceValues(func() (*action.Template, diag.List) {
			source, problems := readTemplate(fsys, file)
			if len(problems) > 0 {
				return nil, problems
			}
			template, problems := parser.ParseValid(typeOf(file), string(source))
			return template, inFile(file, typeOf(file), problems)
		})
	}
	return templates, nil
}

// ReadTemplates reads the *.cue files in fsys, by file name. Problems have the file name
// as path.
func ReadTemplates(fsys fs.FS) (map[string][]byte, diag.List) {
	var list diag.List
	files, err := fs.Glob(fsys, templatePattern)
	if err != nil {
		list.Add("", "%v", err)
		return nil, list
	}
	sources := make(map[string][]byte, len(files))
	for _, file := range files {
		source, problems := readTemplate(fsys, file)
		if list = append(list, problems...); len(problems) == 0 {
			sources[file] = source
		}
	}
	return sources, list
}

// ParseTemplates parses the result of ReadTemplates, and returns the templates by action
// type. A file for which reject returns a reason is not parsed; the reason is its
// problem. All other files are parsed, also if some have problems. The templates with
// problems are Invalid.
func ParseTemplates(sources map[string][]byte, reject func(file string) string) (map[string]Template, diag.List) {
	var list diag.List
	templates, parser := make(map[string]Template, len(sources)), action.NewParser()
	for _, file := range slices.Sorted(maps.Keys(sources)) {
		name := TypeOf(file, string(sources[file]))
		template, problems := ParseTemplate(parser, name, string(sources[file]), func() string { return reject(file) })
		templates[name], list = template, append(list, inFile(file, name, problems)...)
	}
	return templates, list
}

// ParseTemplate parses the template of an action, unless reject returns a reason, which then is
// its problem. A template with problems is Invalid.
func ParseTemplate(parser action.Parser, name, source string, reject func() (reason string)) (Template, diag.List) {
	if reason := reject(); reason != "" {
		problems := diag.List{{Message: reason}}
		return Invalid(problems), problems
	}
	template, problems := parser.Parse(name, source)
	if len(problems) > 0 {
		return Invalid(problems), problems
	}
	return Parsed(template), nil
}

const (
	templatePattern = "*.cue"
	// maxTemplate is the maximum size of a template, in bytes.
	maxTemplate = 1 << 20
)

// TypeOf returns the type of the action in a file of CUE: the file's name without ".cue", or
// "step/" and this name for the definition of a workflow step.
func TypeOf(file, source string) string { return action.TypeOf(typeOf(file), source) }

// typeOf returns the name of a template file without ".cue".
func typeOf(file string) string { return strings.TrimSuffix(path.Base(file), ".cue") }

func readTemplate(fsys fs.FS, file string) ([]byte, diag.List) {
	var list diag.List
	source, err := fs.ReadFile(fsys, file)
	switch {
	case err != nil:
		list.Add(file, "%v", err)
	case len(source) > maxTemplate:
		list.Add(file, "is larger than %d KiB", maxTemplate>>10)
	}
	return source, list
}

// inFile returns the problems of the action in a file, with the file as path.
func inFile(file, name string, problems diag.List) diag.List {
	for i, p := range problems {
		problems[i].Path, problems[i].Message = file, fmt.Sprintf("action %q: %s", name, p.Message)
	}
	return problems
}
