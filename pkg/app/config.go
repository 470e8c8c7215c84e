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
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// configuration is the content of the user's files. It is read once, so that the
// triggers that were checked are those that run.
type configuration struct {
	Config config.Files
	// Actions are templates by path. Problems are those of reading them, by path.
	Actions  map[string][]byte
	Problems diag.List
	// Definitions are the files of YAML beside Actions.
	Definitions config.Files
	// Mixed is set if CUE files in Config may be actions.
	Mixed bool
	// Namespace is that of triggers without one. Defaults to "default".
	Namespace string
	// Dataflow has the check derive what the triggers read and write. Names are those of the
	// resources of custom kinds.
	Dataflow bool
	Names    rights.Names
	// Cycles has the check report circles of triggers.
	Cycles bool
	// Schemas have the types of Kubernetes objects.
	Schemas []config.Files
	Checks  trigger.Checks
	// Shards is the number of parts of the triggers that children check at once, and Shard the
	// index of the one to compile. Without Shards, all triggers are compiled.
	Shard, Shards int
	// accepted is set once check has had no problems.
	accepted bool
}

// compiledConfiguration is what a configuration compiles to.
type compiledConfiguration struct {
	rules []rule
	// actions is the number of actions in Config: Definitions, and files if it is Mixed.
	actions int
	// diagnostics are the problems of all files. The others are as in Validation.
	diagnostics, warnings, byCUE, others diag.FileDiagnostics
}

// rule is a trigger of a configuration: what its author wrote, and what it compiles to.
type rule struct {
	trigger.Compiled
	spec v1alpha1.Trigger
	// service is the TriggerService that has the trigger.
	service *v1alpha1.TriggerService
	// place is where the trigger begins.
	place diag.FileDiagnostic
}

// reports returns the reports of the valid triggers.
func (c compiledConfiguration) reports() []TriggerReport {
	var reports []TriggerReport
	for _, r := range c.rules {
		if len(r.Problems) == 0 {
			reports = append(reports, TriggerReport{Name: r.Name, Place: r.place, Compiled: len(r.ByCUE) == 0})
		}
	}
	return reports
}

// triggers returns the triggers as the engine runs them.
func (c compiledConfiguration) triggers() []engine.Trigger {
	triggers := make([]engine.Trigger, 0, len(c.rules))
	for _, r := range c.rules {
		triggers = append(triggers, r.Trigger)
	}
	return triggers
}

// readConfig reads the configuration at file, which may be a directory, and the templates in actionsDir.
func readConfig(file, actionsDir string) (configuration, error) {
	if file == "" {
		return configuration{}, InvalidError{errors.New("no configuration; name a file or directory with --config (-c) or $CONFIG")}
	}
	cfg := configuration{Config: config.Read(file)}
	cfg.readActions(actionsDir)
	return cfg, nil
}

// readActions adds the templates in dir, unless it is empty.
func (cfg *configuration) readActions(dir string) {
	if dir == "" {
		return
	}
	templates, problems := trigger.ReadTemplates(os.DirFS(dir))
	if _, err := os.Stat(dir); err != nil {
		problems.Add("", "no such directory")
	}
	dir = strings.TrimSuffix(dir, "/")
	cfg.Actions = make(map[string][]byte, len(templates))
	for file, data := range templates {
		cfg.Actions[dir+"/"+file] = data
	}
	for _, p := range problems {
		p.Path = strings.TrimSuffix(dir+"/"+p.Path, "/")
		cfg.Problems = append(cfg.Problems, p)
	}
	if len(cfg.Problems) == 0 {
		cfg.Definitions = config.ReadDefinitions(dir)
	}
}

// compileValid compiles the triggers of a configuration that check has accepted. Problems are an
// InvalidError.
func (cfg configuration) compileValid(c clients) (compiledConfiguration, error) {
	cfg.accepted = true
	compiled, err := cfg.compile(c, func(string) string { return "" })
	if err == nil && len(compiled.diagnostics) > 0 {
		err = InvalidError{compiled.diagnostics}
	}
	return compiled, err
}

// checkAndCompile returns the triggers of a configuration that is valid. Without clients they
// cannot run.
func (cfg configuration) checkAndCompile(ctx context.Context, c clients) (compiledConfiguration, error) {
	if _, err := cfg.check(ctx); err != nil {
		return compiledConfiguration{}, err
	}
	return cfg.compileValid(c)
}

// compile compiles the triggers and returns the problems of all files. Triggers
// that were compiled without clients cannot run. It calls begin before each step
// that may exhaust a resource; the step is skipped if begin returns a reason.
func (cfg configuration) compile(c clients, begin func(step string) (reason string)) (out compiledConfiguration, err error) {
	if c.namespace == "" {
		c.namespace = "default"
	}
	templates, err := trigger.BuiltIn(actions.FS)
	if err != nil {
		return out, err
	}
	out.actions = cfg.sort(begin)
	own, problems := trigger.ParseTemplates(cfg.Actions, func(file string) string { return begin("action " + path.Base(file)) })
	out.diagnostics = locate(append(problems, cfg.Problems...))
	documents, more := cfg.Config.Load(c.namespace, func(path string) string { return begin("configuration " + path) })
	out.diagnostics = append(out.diagnostics, more...)
	inDirectory, more := cfg.Definitions.Load(c.namespace, func(string) string { return "" })
	out.diagnostics = append(out.diagnostics, more...)
	out.actions, out.others = out.actions+len(documents.Definitions), documents.Others
	places, parser := actionPlaces{}, action.NewParser()
	for _, file := range slices.Sorted(maps.Keys(cfg.Actions)) {
		places.add(trigger.TypeOf(file, string(cfg.Actions[file])), file, string(cfg.Actions[file]))
	}
	for _, d := range append(inDirectory.Definitions, documents.Definitions...) {
		place := d.LocateName("")
		if other := places.add(d.Action, fmt.Sprintf("%s:%d", place.File, place.Line), d.Source); other != "" {
			out.diagnostics = append(out.diagnostics, d.LocateName(fmt.Sprintf("action %q is also defined in %s, with another source", d.Action, other)))
		}
		if own[d.Action] != nil {
			continue
		}
		own[d.Action], problems = trigger.ParseTemplate(parser, d.Action, d.Source, func() string { return begin("action " + d.Action) })
		out.diagnostics = append(out.diagnostics, d.Locate(problems)...)
	}
	maps.Copy(templates, own)
	compiler := c.compiler(templates)
	compiler.Checks, compiler.Accepted = cfg.Checks, cfg.accepted
	if cfg.accepted { // begin does nothing
		compiler.Concurrency = runtime.GOMAXPROCS(0)
	}
	if compiler.Schemas, more = cfg.readSchemas(begin); len(more) > 0 {
		out.diagnostics = append(out.diagnostics, more...)
	}
	names, first, total := map[event.TriggerRef]diag.FileDiagnostic{}, 0, 0
	for _, s := range documents.Services {
		total += len(s.Spec.Triggers)
	}
	for n, s := range documents.Services {
		reject := func(i int, name, part string) string {
			switch {
			case part == "" && s.Invalid(i):
				return "invalid"
			case part == "" && !cfg.inShard(first+i, total):
				return "another child checks it"
			case part == "":
				return ""
			}
			reason := begin(fmt.Sprintf("%s of trigger %d of document %d", part, i, n))
			if reason != "" {
				reason = fmt.Sprintf("trigger %q: %s", name, reason)
			}
			return reason
		}
		for i, t := range trigger.CompileService(compiler, &s.TriggerService, reject) {
			if s.Invalid(i) {
				continue
			}
			position := s.Locate(diag.List{{Path: fmt.Sprintf("spec.triggers[%d]", i)}})[0]
			if other, exists := names[t.TriggerRef]; exists {
				t.Problems.Add(fmt.Sprintf("spec.triggers[%d].name", i), "%q is already used by the trigger at %s:%d", t.Name, other.File, other.Line)
			} else {
				names[t.TriggerRef] = position
			}
			if !cfg.inShard(first+i, total) {
				continue
			}
			out.diagnostics = append(out.diagnostics, s.Locate(t.Problems.Causes())...)
			out.warnings = append(out.warnings, s.Locate(t.Warnings)...)
			out.byCUE = append(out.byCUE, s.Locate(t.ByCUE)...)
			out.rules = append(out.rules, rule{Compiled: t, spec: s.Spec.Triggers[i], service: &s.TriggerService, place: position})
		}
		first += len(s.Spec.Triggers)
	}
	out.diagnostics.Sort()
	out.warnings.Sort()
	out.byCUE.Sort()
	return out, nil
}

// inShard reports whether the trigger at an index, of all in the configuration, is one to compile.
func (cfg configuration) inShard(index, all int) bool {
	return cfg.Shards < 2 || index*cfg.Shards/all == cfg.Shard
}

// readSchemas returns the schemas, and the problems of their files.
func (cfg configuration) readSchemas(begin func(step string) (reason string)) (*kubeschema.Schemas, diag.FileDiagnostics) {
	var problems diag.FileDiagnostics
	schemas := kubeschema.New(nil)
	for _, files := range cfg.Schemas {
		kinds, before := 0, len(problems)
		problems = append(problems, files.Diagnostics...)
		for _, f := range files.List {
			if reason := begin("schema " + f.Path); reason != "" {
				problems = append(problems, diag.FileDiagnostic{File: f.Path, Message: reason})
				continue
			}
			n, err := schemas.Read(f.Data)
			if err != nil {
				problems = append(problems, diag.FileDiagnostic{File: f.Path, Message: err.Error()})
			}
			kinds += n
		}
		if kinds == 0 && len(problems) == before {
			problems = append(problems, diag.FileDiagnostic{File: files.Path, Message: "has no CustomResourceDefinition and no document of OpenAPI v3"})
		}
	}
	return schemas, problems
}

// locate returns problems whose paths are those of files.
func locate(problems diag.List) diag.FileDiagnostics {
	var diagnostics diag.FileDiagnostics
	for _, p := range problems {
		diagnostics = append(diagnostics, diag.FileDiagnostic{File: p.Path, Line: p.Line, Column: p.Column, Message: p.Message})
	}
	return diagnostics
}

// actionPlaces has the place and the source of the first definition of each action.
type actionPlaces map[string]struct{ place, source string }

// add adds an action. If it is already there with another source, add returns the place of that.
func (p actionPlaces) add(name, place, source string) (other string) {
	source = strings.TrimSpace(source)
	first, ok := p[name]
	if !ok {
		p[name] = struct{ place, source string }{place, source}
	}
	if !ok || first.source == source {
		return ""
	}
	return first.place
}
