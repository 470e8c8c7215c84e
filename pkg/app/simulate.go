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
	"io/fs"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/journal"
	"github.com/kubevela/kube-trigger/pkg/simulation"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// SimulateOptions configure Simulate.
type SimulateOptions struct {
	// Config is a file of triggers, or a directory of such files, and ActionsDir a directory
	// of their actions. Compare is another configuration; empty for none.
	Config, ActionsDir, Compare string
	// Journal is the directory of a journal, or one file of it.
	Journal string
	// Since and Until limit the events: times in RFC 3339, or durations before the journal's
	// end. Empty for no limit.
	Since, Until string

	// observe receives the decisions of Config. Optional.
	observe func(engine.Decision)
}

// Simulate returns what triggers would have done with the events of a journal, without a
// cluster.
func Simulate(ctx context.Context, o SimulateOptions) (simulation.Report, error) {
	if o.Journal == "" {
		return simulation.Report{}, InvalidError{errors.New("no journal; name a directory or file with --journal")}
	}
	s := simulation.Options{Observe: o.observe}
	var err error
	if s.Triggers, err = compileFile(ctx, o.Config, o.ActionsDir); err != nil {
		return simulation.Report{}, err
	}
	if o.Compare != "" {
		if s.Compare, err = compileFile(ctx, o.Compare, o.ActionsDir); err != nil {
			return simulation.Report{}, err
		}
	}
	s.Journal, err = journal.Open(o.Journal)
	if errors.Is(err, fs.ErrNotExist) {
		err = InvalidError{fmt.Errorf("--journal %s: no such file or directory", o.Journal)}
	}
	if err != nil {
		return simulation.Report{}, err
	}
	defer s.Journal.Close()
	if s.Since, err = journalTime("--since", o.Since, s.Journal.To); err != nil {
		return simulation.Report{}, err
	}
	if s.Until, err = journalTime("--until", o.Until, s.Journal.To); err != nil {
		return simulation.Report{}, err
	}
	if !s.Until.IsZero() && s.Until.Before(s.Since) {
		return simulation.Report{}, InvalidError{fmt.Errorf("--until %s: is before --since", o.Until)}
	}
	return simulation.Run(ctx, s)
}

// journalTime parses the value of a flag: a time, or a duration before end.
func journalTime(flag, text string, end time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return end.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, InvalidError{fmt.Errorf("%s %q: must be a time, such as 2026-11-29T02:00:00Z, or a duration before the journal's end, such as 24h", flag, text)}
	}
	return t, nil
}

// compileFile checks a configuration and compiles its triggers, without clients.
func compileFile(ctx context.Context, file, actionsDir string) ([]trigger.Compiled, error) {
	cfg, err := readConfig(file, actionsDir)
	if err != nil {
		return nil, err
	}
	if err := cfg.checkTriggers(ctx, file); err != nil {
		return nil, err
	}
	compiled, err := cfg.compileValid(clients{})
	if err != nil {
		return nil, err
	}
	var triggers []trigger.Compiled
	for _, r := range compiled.rules {
		triggers = append(triggers, r.Compiled)
	}
	return triggers, nil
}

// checkTriggers checks the configuration in a file, which must have triggers.
func (cfg configuration) checkTriggers(ctx context.Context, file string) error {
	result, err := cfg.check(ctx)
	if err == nil && result.Triggers == 0 {
		err = InvalidError{fmt.Errorf("%s: no triggers", file)}
	}
	return err
}
