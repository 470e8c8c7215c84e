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
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/catalog"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// DescribeActionsCommand is the hidden subcommand that has to call DescribeActions. Catalog starts
// its own executable with it.
const DescribeActionsCommand = "describe-actions"

// Catalog returns the sources and actions that triggers can use. Actions in actionsDir take
// precedence over built-in ones. With a name, only what is called so is returned: an
// InvalidError if there is nothing.
func Catalog(ctx context.Context, actionsDir, name string) ([]catalog.Entry, error) {
	entries, err := catalog.Sources((&clients{}).sources())
	if err != nil {
		return nil, err
	}
	files, problems := trigger.ReadTemplates(actions.FS)
	if len(problems) > 0 {
		return nil, problems
	}
	sources := actionSources(files)
	own, err := describeOwn(ctx, actionsDir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries)+len(sources)+len(own))
	for _, e := range entries {
		names = append(names, e.Type)
	}
	for _, e := range own {
		names = append(names, e.Type)
		delete(sources, e.Type)
	}
	for t := range sources {
		names = append(names, t)
		if name != "" && t != name {
			delete(sources, t)
		}
	}
	builtIn, problems := catalog.Actions(sources)
	if len(problems) > 0 {
		return nil, problems
	}
	all := slices.Concat(entries, builtIn, own)
	if name != "" {
		all = slices.DeleteFunc(all, func(e catalog.Entry) bool { return e.Type != name })
		if len(all) == 0 {
			slices.Sort(names)
			return nil, InvalidError{fmt.Errorf("no source and no action is called %q%s", name, diag.Suggest(name, names))}
		}
	}
	slices.SortStableFunc(all, func(a, b catalog.Entry) int {
		return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.Type, b.Type))
	})
	return all, nil
}

// actionSources returns the sources of actions in files, by type.
func actionSources(files map[string][]byte) map[string]string {
	sources := make(map[string]string, len(files))
	for file, source := range files {
		sources[strings.TrimSuffix(path.Base(file), actionExtension)] = string(source)
	}
	return sources
}

// ownActions are the actions of a directory, as describeOwn gives them to its child process.
type ownActions struct {
	Sources map[string]string
}

// ownEntries is the answer of the child process.
type ownEntries struct {
	Entries  []catalog.Entry
	Problems diag.List
}

// describeOwn returns the entries of the actions in dir; none if it is empty.
func describeOwn(ctx context.Context, dir string) ([]catalog.Entry, error) {
	var cfg configuration
	cfg.readActions(dir)
	if len(cfg.Problems) > 0 {
		return nil, InvalidError{locate(cfg.Problems)}
	}
	if len(cfg.Actions) == 0 {
		return nil, nil
	}
	request := ownActions{Sources: actionSources(cfg.Actions)}
	var answer ownEntries
	if err := inChild(ctx, DescribeActionsCommand, request, &answer); err != nil {
		return nil, err
	}
	if len(answer.Problems) > 0 {
		return nil, InvalidError{answer.Problems}
	}
	return answer.Entries, nil
}

// DescribeActions describes the actions that a parent process writes to in, and reports to out.
func DescribeActions(in io.Reader, out io.Writer) error {
	return sandbox.Serve(in, out, func(request ownActions, steps *sandbox.Steps) (ownEntries, error) {
		if reason := steps.Begin("actions"); reason != "" {
			return ownEntries{}, errors.New(reason)
		}
		entries, problems := catalog.Actions(request.Sources)
		return ownEntries{entries, problems}, nil
	})
}
