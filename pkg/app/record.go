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
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/journal"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
)

// JournalOptions select a journal to write.
type JournalOptions struct {
	// Journal is a directory; empty for none.
	Journal string
	// JournalSize is the maximum size of the journal, in bytes.
	JournalSize int64
}

// RecordOptions configure Record.
type RecordOptions struct {
	ClusterOptions
	JournalOptions

	// Kinds are kinds of objects whose changes are recorded: "v1/ConfigMap" or
	// "apps/v1/Deployment". Namespace is that of the objects, and AllNamespaces selects all;
	// it defaults to the one of the kubeconfig.
	Kinds         []string
	Namespace     string
	AllNamespaces bool
	// Config is a file of triggers, or a directory of such files, in place of Kinds: the
	// events of their sources are recorded, but schedules and webhooks. ActionsDir is a
	// directory of their actions.
	Config, ActionsDir string
	// For is the time after which the recording ends; 0 for none.
	For time.Duration
}

// DefaultRecordOptions returns the defaults of Record.
func DefaultRecordOptions() RecordOptions {
	return RecordOptions{JournalOptions: JournalOptions{JournalSize: journal.DefaultMaxSize}}
}

// Record records events with the rights of the user until ctx or the time ends, which is not
// an error. It returns the number of events.
func Record(ctx context.Context, o RecordOptions) (recorded int, err error) {
	if err := o.validate(); err != nil {
		return 0, err
	}
	var cfg configuration
	if o.Config != "" {
		if cfg, err = readConfig(o.Config, o.ActionsDir); err != nil {
			return 0, err
		}
		if err := cfg.checkTriggers(ctx, o.Config); err != nil {
			return 0, err
		}
	}
	run := RunOptions{StoreOptions: StoreOptions{ClusterOptions: o.ClusterOptions}, ClusterAccess: string(multicluster.Auto)}
	c, _, err := run.newClients(nil)
	if err != nil {
		return 0, err
	}
	triggers, err := o.triggers(ctx, cfg, c)
	if err != nil {
		return 0, err
	}
	writer, err := o.create()
	if err != nil {
		return 0, err
	}
	recorder := &journal.Recorder{Writer: writer}
	recorder.Record(triggers)
	e, err := engine.New(engine.Options{FailFast: true}, triggers)
	if err != nil {
		return 0, errors.Join(err, writer.Close())
	}
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	err = errors.Join(e.Run(ctx), writer.Close())
	return recorder.Recorded(), err
}

func (o RecordOptions) validate() error {
	switch {
	case o.Journal == "":
		return InvalidError{errors.New("no journal; name a directory with --journal")}
	case len(o.Kinds) == 0 && o.Config == "":
		return InvalidError{errors.New("nothing to record; name kinds with --kinds, such as apps/v1/Deployment, or triggers with --file (-f)")}
	case len(o.Kinds) > 0 && o.Config != "":
		return InvalidError{errors.New("--kinds and --file exclude each other")}
	case o.Config != "" && (o.Namespace != "" || o.AllNamespaces):
		return InvalidError{errors.New("--namespace and --all-namespaces belong to --kinds; the triggers of --file name their own")}
	case o.Namespace != "" && o.AllNamespaces:
		return InvalidError{errors.New("--namespace and --all-namespaces exclude each other")}
	}
	return nil
}

// create opens the journal for writing.
func (o JournalOptions) create() (*journal.Writer, error) {
	if o.JournalSize < journal.MinMaxSize {
		return nil, InvalidError{fmt.Errorf("the size of the journal must be at least %dMi", journal.MinMaxSize>>20)}
	}
	w, err := journal.Create(o.Journal, o.JournalSize)
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", o.Journal, err)
	}
	return w, nil
}

// triggers returns triggers that do nothing, for what is recorded. cfg is the configuration in
// Config, which was checked.
func (o RecordOptions) triggers(ctx context.Context, cfg configuration, c clients) ([]engine.Trigger, error) {
	if o.Config != "" {
		return o.configTriggers(ctx, cfg, c)
	}
	switch {
	case o.AllNamespaces:
	case o.Namespace == "":
		o.Namespace = c.namespace
	}
	var (
		triggers []engine.Trigger
		errs     []error
	)
	for _, kind := range o.Kinds {
		apiVersion, name, err := splitKind(kind)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		properties := map[string]any{
			"apiVersion": apiVersion, "kind": name,
			"events": []any{event.Create, event.Update, event.Delete, event.Sync},
		}
		if o.Namespace != "" {
			properties["namespace"] = o.Namespace
		}
		ref := event.TriggerRef{Name: kind}
		sub, problems := resource.New(c.resource).Compile(properties, source.Spec{TriggerRef: ref})
		if len(problems) > 0 {
			errs = append(errs, fmt.Errorf("--kinds %s: %w", kind, problems.Err()))
			continue
		}
		triggers = append(triggers, recording(engine.Trigger{TriggerRef: ref, SourceType: resource.Type, Subscription: sub}))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, InvalidError{err}
	}
	return triggers, nil
}

// splitKind splits "apps/v1/Deployment" into its apiVersion and its kind.
func splitKind(text string) (apiVersion, kind string, err error) {
	i := strings.LastIndex(text, "/")
	if i <= 0 || i == len(text)-1 {
		return "", "", fmt.Errorf(`--kinds %q: must be "version/kind" or "group/version/kind", such as v1/ConfigMap or apps/v1/Deployment`, text)
	}
	return text[:i], text[i+1:], nil
}

// configTriggers returns those of a configuration that was checked.
func (o RecordOptions) configTriggers(ctx context.Context, cfg configuration, c clients) ([]engine.Trigger, error) {
	compiled, err := cfg.compileValid(c)
	if err != nil {
		return nil, err
	}
	triggers := slices.DeleteFunc(compiled.triggers(), func(t engine.Trigger) bool {
		skip := t.SourceType == cron.Type || t.SourceType == webhook.Type
		if skip {
			logr.FromContextOrDiscard(ctx).Info("not recorded", "trigger", t.String(), "source", t.SourceType)
		}
		return skip
	})
	if len(triggers) == 0 {
		return nil, InvalidError{fmt.Errorf("%s: nothing to record: all triggers are schedules or webhooks", o.Config)}
	}
	for i := range triggers {
		triggers[i] = recording(triggers[i])
	}
	return triggers, nil
}

// recording returns a trigger with the source of t that does nothing.
func recording(t engine.Trigger) engine.Trigger {
	t.Policy = engine.Policy{}
	t.Stages = []engine.Stage{engine.NewIdleAct()}
	return t
}
