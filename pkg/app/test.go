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
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/rehearsal"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// TestCommand is the hidden subcommand that has to call ServeTest.
const TestCommand = "test-config"

// TestOptions configure Test.
type TestOptions struct {
	// Paths are files of tests, or directories of them. Defaults to the working directory.
	Paths []string
	// Run selects tests by their names; empty for all.
	Run string
	// Update writes what happens into the files as what is expected.
	Update bool
}

// FileResult is the result of a file of tests.
type FileResult struct {
	File  string                 `json:"file"`
	Tests []rehearsal.TestResult `json:"tests,omitempty"`
	// Invalid are the problems of the file or its configuration, for which no test has run.
	Invalid []string `json:"invalid,omitempty"`
	// Updated is set if the file was written.
	Updated bool `json:"updated,omitempty"`
}

// testRequest is what the child process runs.
type testRequest struct {
	Path   string
	Data   []byte
	Run    string
	Update bool
}

// testResult is its result. Updated is the new text of the file; nil if it stays.
type testResult struct {
	FileResult
	Text []byte
}

// Test runs tests of triggers, without a cluster. It returns the results of all files; failures
// are no error.
func Test(ctx context.Context, o TestOptions) ([]FileResult, error) {
	if _, err := regexp.Compile(o.Run); err != nil {
		return nil, InvalidError{fmt.Errorf("--run: %w", err)}
	}
	files, err := o.files()
	if err != nil {
		return nil, err
	}
	child, err := newChild(TestCommand)
	if err != nil {
		return nil, err
	}
	var all []FileResult
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var result testResult
		if err := child.Run(ctx, "", testRequest{file, data, o.Run, o.Update}, &result); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if result.Text != nil {
			info, err := os.Stat(file)
			if err != nil {
				return nil, err
			}
			if err := os.WriteFile(file, result.Text, info.Mode().Perm()); err != nil {
				return nil, err
			}
			result.Updated = true
		}
		all = append(all, result.FileResult)
	}
	return all, nil
}

// files returns the files of tests, sorted in each directory.
func (o TestOptions) files() ([]string, error) {
	paths := o.Paths
	if len(paths) == 0 {
		paths = []string{"."}
	}
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, InvalidError{fmt.Errorf("%s: no such file or directory", path)}
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		err = filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && config.IsTest(path) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, InvalidError{errors.New("no tests: no file ends in _test.yaml")}
	}
	return slices.Compact(files), nil
}

// ServeTest is the child process of Test.
func ServeTest(ctx context.Context, in io.Reader, out io.Writer) error {
	return sandbox.Serve(in, out, func(r testRequest, s *sandbox.Steps) (testResult, error) { return r.run(ctx, s.Begin) })
}

func (r testRequest) run(ctx context.Context, begin func(step string) (reason string)) (out testResult, err error) {
	out.File = r.Path
	invalid := func(err error) (testResult, error) {
		out.Invalid = append(out.Invalid, err.Error())
		return out, nil
	}
	if reason := begin("tests"); reason != "" {
		return invalid(fmt.Errorf("%s: %s", r.Path, reason))
	}
	file, err := rehearsal.ParseTestFile(r.Path, r.Data)
	if err != nil {
		return invalid(err)
	}
	cfg, err := readConfig(file.Resolve(file.Config), file.Resolve(file.ActionsDir))
	if err != nil {
		return out, err
	}
	o := rehearsal.Options{Executors: &rehearsal.Executors{}}
	compiled, err := cfg.compile(clients{newExecutor: o.Executors.New}, begin)
	if err != nil {
		return out, err
	}
	for _, d := range compiled.diagnostics {
		out.Invalid = append(out.Invalid, d.String())
	}
	if len(out.Invalid) > 0 {
		return out, nil
	}
	for _, rule := range compiled.rules {
		o.Triggers = append(o.Triggers, rule.Compiled)
	}
	return out, r.runTests(ctx, file, o, &out, begin)
}

// runTests runs the selected tests of a file.
func (r testRequest) runTests(ctx context.Context, file *rehearsal.TestFile, o rehearsal.Options, out *testResult, begin func(step string) string) error {
	selected, err := regexp.Compile(r.Run)
	if err != nil {
		return err
	}
	for i, t := range file.Tests {
		if !selected.MatchString(t.Name) {
			continue
		}
		if reason := begin("test " + t.Name); reason != "" {
			out.Tests = append(out.Tests, rehearsal.TestResult{Name: t.Name, Failures: []rehearsal.Failure{{Message: reason}}})
			continue
		}
		given := o
		for _, path := range slices.Concat(file.ObjectFiles, t.ObjectFiles) {
			objects, err := parseObjects("objectFiles", config.Read(file.Resolve(path)))
			if err != nil {
				out.Invalid = append(out.Invalid, fmt.Sprintf("%s: %v", r.Path, err))
				return nil
			}
			given.Objects = append(slices.Clip(given.Objects), objects...)
		}
		out.Tests = append(out.Tests, file.Run(ctx, i, given, r.Update))
	}
	if r.Update && file.IsUpdated() {
		out.Text, err = file.Updated()
	}
	return err
}
