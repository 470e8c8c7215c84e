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
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFileBytes bounds a configuration file, in bytes.
const maxFileBytes = 8 << 20

// Files are the files of a configuration as they were read, so that what is
// checked is what runs.
type Files struct {
	// Path is the file or directory.
	Path string
	List []File
	// Diagnostics are those of reading.
	Diagnostics FileDiagnostics
}

// File is a file and what it holds.
type File struct {
	Path string
	Data []byte
}

// Read reads the file or directory at path, of a directory all files that end in
// .yaml, .yml, .json or .cue, in the order of their names.
func Read(path string) Files {
	out := Files{Path: path}
	paths, err := listFiles(path)
	if err != nil {
		out.Diagnostics = FileDiagnostics{{File: path, Message: err.Error()}}
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		switch {
		case err != nil:
			out.Diagnostics = append(out.Diagnostics, FileDiagnostic{File: p, Message: err.Error()})
		case len(data) > maxFileBytes:
			out.Diagnostics = append(out.Diagnostics, FileDiagnostic{File: p, Message: fmt.Sprintf("is larger than %d MiB", maxFileBytes>>20)})
		default:
			out.List = append(out.List, File{Path: p, Data: data})
		}
	}
	return out
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
		if !e.IsDir() && slices.Contains(extensions(), filepath.Ext(e.Name())) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no files that end in %s", strings.Join(extensions(), ", "))
	}
	return files, nil
}

func extensions() []string { return []string{".yaml", ".yml", ".json", ".cue"} }

func isCUE(path string) bool { return filepath.Ext(path) == ".cue" }
