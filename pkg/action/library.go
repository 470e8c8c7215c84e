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

package action

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// library has the `vela/*` packages that templates can import, by path. What is known of a package is
// determined when a template first imports it. It is safe for concurrent use.
type library map[string]*libraryPackage

type libraryPackage struct {
	path   string
	source func() string
	tree   syntaxCache
	// functions are as functionsOf returns them.
	functions func() map[string]provider.Call
	// names tells how the package uses names of fields.
	names func() expr.NameUse
}

func newLibrary() library {
	l := library{}
	for path, p := range provider.Packages() {
		l[path] = newLibraryPackage(p)
	}
	return l
}

func newLibraryPackage(p provider.Package) *libraryPackage {
	out := &libraryPackage{path: p.Path, source: p.Source}
	out.functions = sync.OnceValue(func() map[string]provider.Call {
		file, err := out.syntax()
		if err != nil {
			return nil
		}
		return functionsOf(file)
	})
	out.names = sync.OnceValue(func() expr.NameUse {
		file, err := out.syntax()
		if err != nil {
			return expr.NameUse{Observed: true}
		}
		return expr.UseOfNames(file)
	})
	return out
}

// syntax returns a new syntax tree of the package.
func (p *libraryPackage) syntax() (*ast.File, error) {
	file, err := p.tree.get(func() (*ast.File, error) { return parser.ParseFile(p.path+".cue", p.source()) })
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", p.path, err)
	}
	return file, nil
}

// has reports whether a package has the function of call.
func (l library) has(call provider.Call) bool {
	for _, p := range l {
		for _, c := range p.functions() {
			if c.Provider == call.Provider && c.Do == call.Do {
				return true
			}
		}
	}
	return false
}

// paths returns the sorted import paths.
func (l library) paths() []string { return slices.Sorted(maps.Keys(l)) }

// imports returns new syntax trees of the packages that file imports; others are of CUE's standard
// library.
func (l library) imports(file *ast.File) ([]velaPackage, error) {
	var out []velaPackage
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		p, ok := l[path]
		if !ok {
			continue
		}
		syntax, err := p.syntax()
		if err != nil {
			return nil, err
		}
		out = append(out, velaPackage{path, syntax})
	}
	return out, nil
}

// names returns how packages use names of fields.
func (l library) names(packages []velaPackage) expr.NameUse {
	var use expr.NameUse
	for _, p := range packages {
		if !slices.Contains([]string{"vela/builtin", "vela/email", "vela/http", "vela/kube", "vela/ql"}, p.path) {
			return expr.NameUse{Observed: true}
		}
		use.Add(l[p.path].names())
	}
	return use
}
