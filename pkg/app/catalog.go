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
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/catalog"
	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// DescribeActionsCommand is the hidden subcommand that has to call DescribeActions. Catalog starts
// its own executable with it.
const DescribeActionsCommand = "describe-actions"

// CatalogOptions select the actions of Catalog beside the built-in ones.
type CatalogOptions struct {
	// ActionsDir is a directory of actions and of definitions of workflow steps; empty for none.
	ActionsDir string
	// FromCluster adds the actions and the workflow steps of Cluster that triggers in Namespace
	// can use. Namespace defaults to that of the kubeconfig.
	FromCluster bool
	Cluster     ClusterOptions
	Namespace   string
}

// Catalog returns the sources and actions that triggers can use. Own actions take precedence over
// built-in ones. With a name, only what is called so is returned: an InvalidError if there is
// nothing.
func Catalog(ctx context.Context, o CatalogOptions, name string) ([]catalog.Entry, error) {
	entries, err := catalog.Sources((&clients{}).sources())
	if err != nil {
		return nil, err
	}
	files, problems := trigger.ReadTemplates(actions.FS)
	if len(problems) > 0 {
		return nil, problems
	}
	sources := actionSources(files)
	own, err := o.describeOwn(ctx, name)
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
			hint := diag.Suggest(name, names)
			if _, isStep := workflowstep.Parse(name); isStep && !o.FromCluster {
				hint = "; workflow steps are those of a directory (--actions-dir) or of a cluster (--cluster)"
			}
			return nil, InvalidError{fmt.Errorf("no source and no action is called %q%s", name, hint)}
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

// ownActions are actions that are not built in, as describeOwn gives them to its child process.
type ownActions struct {
	// Files and Definitions are those of a directory.
	Files       map[string][]byte
	Definitions config.Files
	// Cluster are those of a cluster, by type. Only Name is described, unless it is empty.
	Cluster map[string]clusterTemplate
	Name    string
}

// ownEntries is the answer of the child process.
type ownEntries struct {
	Entries     []catalog.Entry
	Problems    diag.List
	Diagnostics diag.FileDiagnostics
}

// describeOwn returns the entries of the actions that are not built in. With a name, others in a
// cluster have their type only.
func (o CatalogOptions) describeOwn(ctx context.Context, name string) ([]catalog.Entry, error) {
	var cfg configuration
	cfg.readActions(o.ActionsDir)
	if len(cfg.Problems) > 0 {
		return nil, InvalidError{locate(cfg.Problems)}
	}
	request := ownActions{Files: cfg.Actions, Definitions: cfg.Definitions, Name: name}
	if o.FromCluster {
		var err error
		if request.Cluster, err = o.clusterTemplates(ctx); err != nil {
			return nil, err
		}
	}
	if len(request.Files)+len(request.Definitions.List)+len(request.Cluster) == 0 {
		return nil, nil
	}
	var answer ownEntries
	if err := inChild(ctx, DescribeActionsCommand, request, &answer); err != nil {
		return nil, err
	}
	if len(answer.Problems) > 0 {
		return nil, InvalidError{answer.Problems}
	}
	if len(answer.Diagnostics) > 0 {
		return nil, InvalidError{answer.Diagnostics}
	}
	return answer.Entries, nil
}

// DescribeActions describes the actions that a parent process writes to in, and reports to out.
func DescribeActions(in io.Reader, out io.Writer) error {
	return sandbox.Serve(in, out, func(request ownActions, steps *sandbox.Steps) (answer ownEntries, err error) {
		if reason := steps.Begin("actions"); reason != "" {
			return answer, errors.New(reason)
		}
		own := map[string]string{}
		for file, source := range request.Files {
			own[trigger.TypeOf(file, string(source))] = string(source)
		}
		documents, diagnostics := request.Definitions.Load("default", func(string) string { return "" })
		if answer.Diagnostics = diagnostics; len(diagnostics) > 0 {
			return answer, nil
		}
		for _, d := range documents.Definitions {
			if _, exists := own[d.Action]; !exists { // as when triggers are compiled
				own[d.Action] = d.Source
			}
		}
		answer.Entries, answer.Problems = catalog.Actions(own)
		for _, name := range slices.Sorted(maps.Keys(request.Cluster)) {
			if _, exists := own[name]; exists {
				continue
			}
			if request.Name != "" && request.Name != name {
				answer.Entries = append(answer.Entries, catalog.Entry{Kind: catalog.Action, Type: name})
				continue
			}
			answer.Entries = append(answer.Entries, request.Cluster[name].entry(name, steps.Begin("action "+name)))
		}
		return answer, nil
	})
}
