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

package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// maxFileBytes is the maximum size of a configuration file.
const maxFileBytes = 8 << 20

// Files holds the contents of the files of a configuration, so that the triggers that
// run are those that were checked.
type Files struct {
	// Path is the file or directory that was read; empty for a list of several, which needs no
	// triggers.
	Path string
	List []File
	// Diagnostics has the files that could not be read.
	Diagnostics diag.FileDiagnostics
}

// File is the content of one file.
type File struct {
	Path string
	// Data is UTF-8 without a byte order mark.
	Data []byte
	// CUE is set if it is CUE, which a file is whose name ends in .cue.
	CUE bool
}

// TestSuffix ends the names of files with tests of triggers.
const TestSuffix = "_test.yaml"

// IsTest reports whether a file has tests of triggers: its name ends in _test.yaml or
// _test.yml.
func IsTest(path string) bool {
	return strings.HasSuffix(path, TestSuffix) || strings.HasSuffix(path, "_test.yml")
}

// Read reads the file at path or, if path is a directory, its files with the extension
// .yaml, .yml, .json or .cue, sorted by name, without tests. Errors are in Files.Diagnostics.
func Read(path string) Files {
	out := Files{Path: path}
	paths, err := listFiles(path)
	if err != nil {
		out.Diagnostics = diag.FileDiagnostics{{File: path, Message: err.Error()}}
	}
	for _, p := range paths {
		file, problem := readFile(p)
		if problem != nil {
			out.Diagnostics = append(out.Diagnostics, *problem)
			continue
		}
		out.List = append(out.List, file)
	}
	return out
}

// ReadDefinitions reads the files of a directory with the extension .yaml, .yml or .json that
// may have definitions of actions: those with this word.
func ReadDefinitions(directory string) Files {
	var out Files
	entries, err := os.ReadDir(directory)
	if err != nil {
		return Files{Diagnostics: diag.FileDiagnostics{{File: directory, Message: err.Error()}}}
	}
	for _, e := range entries {
		path := filepath.Join(directory, e.Name())
		if e.IsDir() || filepath.Ext(path) == cueExtension || !slices.Contains(extensions(), filepath.Ext(path)) {
			continue
		}
		file, problem := readFile(path)
		switch {
		case problem != nil:
			out.Diagnostics = append(out.Diagnostics, *problem)
		case bytes.Contains(file.Data, []byte("Definition")):
			out.List = append(out.List, file)
		}
	}
	return out
}

func readFile(path string) (File, *diag.FileDiagnostic) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, &diag.FileDiagnostic{File: path, Message: err.Error()}
	}
	defer f.Close()
	return read(path, f)
}

// ReadFrom reads r as a file that is called name.
func ReadFrom(name string, r io.Reader) Files {
	file, problem := read(name, r)
	if problem != nil {
		return Files{Path: name, Diagnostics: diag.FileDiagnostics{*problem}}
	}
	return Files{Path: name, List: []File{file}}
}

func read(path string, r io.Reader) (File, *diag.FileDiagnostic) {
	data, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = fmt.Errorf("is larger than %d MiB", maxFileBytes>>20)
	}
	if err == nil {
		data, err = decodeText(data)
	}
	if err != nil {
		return File{}, &diag.FileDiagnostic{File: path, Message: err.Error()}
	}
	return File{Path: path, Data: data, CUE: filepath.Ext(path) == cueExtension}, encodingProblem(path, data)
}

func listFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("no such file or directory")
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains(extensions(), filepath.Ext(e.Name())) && !IsTest(e.Name()) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no files that end in %s", strings.Join(extensions(), ", "))
	}
	return files, nil
}

// cueExtension is the extension of files in CUE.
const cueExtension = ".cue"

func extensions() []string { return []string{".yaml", ".yml", ".json", cueExtension} }
