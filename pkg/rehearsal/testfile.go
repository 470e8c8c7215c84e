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

package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// TestFile is a file of tests of triggers.
type TestFile struct {
	// Path is the path of the file. Other paths are relative to its directory.
	Path string `json:"-"`
	// Config is the configuration under test, ActionsDir the directory of its custom actions.
	Config     string `json:"config"`
	ActionsDir string `json:"actionsDir"`
	Given
	Tests []Test `json:"tests"`

	root *yaml.Node
	// updated is set if root was changed.
	updated bool
}

// Given is what there is at the start of a test.
type Given struct {
	// Start is the time. Defaults to DefaultStart.
	Start time.Time `json:"start"`
	// Objects are objects, ObjectFiles files of further ones.
	Objects     []map[string]any `json:"objects"`
	ObjectFiles []string         `json:"objectFiles"`
	// Answers answer the requests of actions.
	Answers []Answer `json:"answers"`
}

// Test is one test. What is given is in addition to that of the file.
type Test struct {
	Name string `json:"name"`
	// Triggers are the names of the triggers that run; all if it is empty.
	Triggers []string `json:"triggers"`
	Given
	Steps []Step `json:"steps"`

	line int
}

// Step is a step of a test: one thing that happens, and what is expected then.
type Step struct {
	// Apply sets objects, Patch merges a patch into one, and Delete removes one.
	Apply  any            `json:"apply"`
	Patch  map[string]any `json:"patch"`
	Delete map[string]any `json:"delete"`
	// Request is a request to a webhook.
	Request *Request `json:"request"`
	// Event is an event as `context` shows it.
	Event map[string]any `json:"event"`
	// Time is the time until which the clock advances: "+30s", or in RFC 3339.
	Time string `json:"time"`
	// Expect is what is expected.
	Expect *Expect `json:"expect"`
}

// Request is a request to a webhook.
type Request struct {
	// Path is that of the webhook. Query follows a "?".
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	// Body is a text, or an object, which is sent as JSON.
	Body any `json:"body"`
}

// Expect is what is expected after a step. What is nil is not compared. Lists are compared
// as a whole; of structs, only the fields that are written.
type Expect struct {
	Decisions *[]any           `json:"decisions"`
	Calls     *[]any           `json:"calls"`
	Objects   []map[string]any `json:"objects"`
	Absent    []map[string]any `json:"absent"`
}

// DefaultStart is the time at which tests start unless they say another one.
func DefaultStart() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// ParseTestFile parses a file of tests. The error has the places of what is wrong.
func ParseTestFile(path string, data []byte) (*TestFile, error) {
	f := &TestFile{Path: path}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:1: must be an object with config and tests", path)
	}
	f.root = root.Content[0]
	if problem := f.unknownFields(f.root, fileFields()); problem != nil {
		return nil, problem
	}
	encoded, err := sigsyaml.YAMLToJSON(data)
	if err == nil {
		err = decodeNumbers(encoded, f)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, f.check()
}

// decodeNumbers decodes JSON into f. Integers in values of any type stay integers.
func decodeNumbers(data []byte, f *TestFile) error {
	err := json.Unmarshal(data, f)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("%s: must not be a %s", wrong.Field, wrong.Value)
	} else if err != nil {
		return err
	}
	exact, err := number.UnmarshalObject(data)
	if err != nil {
		return err
	}
	f.Objects = objectsIn(exact["objects"])
	tests, _ := exact["tests"].([]any)
	for i := range f.Tests {
		test, _ := tests[i].(map[string]any)
		f.Tests[i].Objects = objectsIn(test["objects"])
		steps, _ := test["steps"].([]any)
		for j := range f.Tests[i].Steps {
			step, _ := steps[j].(map[string]any)
			f.Tests[i].Steps[j].setExact(step)
		}
	}
	return nil
}

// setExact replaces the values of any type by those of exact.
func (s *Step) setExact(exact map[string]any) {
	s.Apply = exact["apply"]
	s.Patch, _ = exact["patch"].(map[string]any)
	s.Delete, _ = exact["delete"].(map[string]any)
	s.Event, _ = exact["event"].(map[string]any)
	expect, _ := exact["expect"].(map[string]any)
	if s.Expect == nil {
		return
	}
	for name, list := range map[string]*[]any{"decisions": s.Expect.Decisions, "calls": s.Expect.Calls} {
		if list != nil {
			*list, _ = expect[name].([]any)
		}
	}
	s.Expect.Objects, s.Expect.Absent = objectsIn(expect["objects"]), objectsIn(expect["absent"])
}

func objectsIn(v any) (out []map[string]any) {
	list, _ := v.([]any)
	for _, item := range list {
		object, _ := item.(map[string]any)
		out = append(out, object)
	}
	return out
}

// knownFields are the fields that a struct of a test file may have; nil below those of any value.
type knownFields map[string]knownFields

func fileFields() knownFields {
	given := knownFields{"start": nil, "objects": nil, "objectFiles": nil, "answers": {"method": nil, "url": nil, "status": nil, "header": nil, "body": nil}}
	expect := knownFields{"decisions": decisionFields(), "calls": {"trigger": nil, "call": nil, "path": nil, "params": nil, "notSent": nil, "error": nil}, "objects": nil, "absent": nil}
	step := knownFields{
		"apply": nil, "patch": nil, "delete": nil, "request": {"path": nil, "headers": nil, "body": nil}, "event": nil, "time": nil, "expect": expect,
	}
	test := knownFields{"name": nil, "triggers": nil, "steps": step}
	file := knownFields{"config": nil, "actionsDir": nil, "tests": test}
	maps.Copy(test, given)
	maps.Copy(file, given)
	return file
}

func decisionFields() knownFields {
	return knownFields{"trigger": nil, "event": nil, "key": nil, "outcome": nil, "reason": nil, "action": nil, "attempt": nil, "error": nil}
}

// unknownFields returns an error for the first field in n that does not exist.
func (f *TestFile) unknownFields(n *yaml.Node, known knownFields) error {
	if known == nil {
		return nil
	}
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			if err := f.unknownFields(item, known); err != nil {
				return err
			}
		}
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		below, ok := known[name.Value]
		if !ok {
			names := slices.Sorted(maps.Keys(known))
			return fmt.Errorf("%s:%d: unknown field %q%s; fields: %s", f.Path, name.Line, name.Value, diag.Suggest(name.Value, names), strings.Join(names, ", "))
		}
		if err := f.unknownFields(n.Content[i+1], below); err != nil {
			return err
		}
	}
	return nil
}

// check checks what the schema cannot say.
func (f *TestFile) check() error {
	if f.Config == "" {
		return fmt.Errorf("%s:1: config is required: the file or directory of the triggers, relative to this file", f.Path)
	}
	if len(f.Tests) == 0 {
		return fmt.Errorf("%s:1: tests is required: a list of tests", f.Path)
	}
	names := map[string]bool{}
	for i := range f.Tests {
		t := &f.Tests[i]
		t.line = f.line("tests", i)
		switch {
		case t.Name == "":
			return fmt.Errorf("%s:%d: name is required", f.Path, t.line)
		case names[t.Name]:
			return fmt.Errorf("%s:%d: the name %q is already used", f.Path, t.line, t.Name)
		}
		names[t.Name] = true
		for j, s := range t.Steps {
			if n := s.kinds(); n > 1 {
				return fmt.Errorf("%s:%d: a step has one of apply, patch, delete, request, event and time, not %d", f.Path, f.line("tests", i, "steps", j), n)
			}
		}
	}
	return nil
}

func (s Step) kinds() (n int) {
	for _, has := range []bool{s.Apply != nil, s.Patch != nil, s.Delete != nil, s.Request != nil, s.Event != nil, s.Time != ""} {
		if has {
			n++
		}
	}
	return n
}

// Resolve returns a path in the file, relative to the working directory.
func (f *TestFile) Resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(f.Path), path)
}

// node returns the node at a path of names and indexes; nil if there is none.
func (f *TestFile) node(path ...any) *yaml.Node {
	n := f.root
	for _, step := range path {
		next := (*yaml.Node)(nil)
		switch step := step.(type) {
		case string:
			for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					next = n.Content[i+1]
				}
			}
		case int:
			if n.Kind == yaml.SequenceNode && step < len(n.Content) {
				next = n.Content[step]
			}
		}
		if next == nil {
			return nil
		}
		n = next
	}
	return n
}

// line returns the line at a path.
func (f *TestFile) line(path ...any) int {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if n := f.node(path...); n != nil {
			return n.Line
		}
	}
	return 1
}
