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
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/engine/replay"
	"github.com/kubevela/kube-trigger/pkg/journal"
	"github.com/kubevela/kube-trigger/pkg/observe"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
)

// Run runs the triggers of a configuration or a TriggerService until ctx ends,
// which is not an error. It ends with renewal.ErrDue, as if ctx had ended, once the field
// names of events have filled CUE's tables.
func Run(ctx context.Context, o RunOptions) error {
	if o.MaxRetry < 0 {
		return InvalidError{fmt.Errorf("--max-retry %d: must be 0 or more", o.MaxRetry)}
	}
	if o.KubeAPIQPS < 0 {
		return InvalidError{fmt.Errorf("--kube-api-qps %g: must be 0 or more", o.KubeAPIQPS)}
	}
	if o.KubeAPIBurst < 0 || o.KubeAPIBurst > 0 && o.KubeAPIQPS == 0 {
		return InvalidError{fmt.Errorf("--kube-api-burst %d: must be 0 or more, and needs --kube-api-qps", o.KubeAPIBurst)}
	}
	if o.From != FromResume && o.From != FromNow {
		return InvalidError{fmt.Errorf("--from %q: must be %s or %s", o.From, FromResume, FromNow)}
	}
	if o.LeaseDuration < time.Second || o.LeaseDuration%time.Second != 0 {
		return InvalidError{fmt.Errorf("--lease-duration %s: must be whole seconds, and 1s or more", o.LeaseDuration)}
	}
	if o.Journal != "" && (o.TriggerService != "" || o.WorkerNamespace != "") {
		return InvalidError{errors.New("--journal: only the events of --config can be recorded")}
	}
	s, err := newServer(ctx, o)
	if err != nil {
		return err
	}
	r := runner{RunOptions: o, server: s}
	return s.runWith(ctx, func(ctx context.Context) error {
		return s.runUntilDue(ctx, func(ctx context.Context) error {
			if o.TriggerService != "" || o.WorkerNamespace != "" {
				return r.runWorker(ctx)
			}
			monitor, release := s.monitor("")
			defer release()
			r.monitor = monitor
			return r.runConfig(ctx)
		})
	})
}

// runner is one call of Run.
type runner struct {
	RunOptions

	server *server
	// monitor is that of what is run.
	monitor *monitor
}

// runConfig runs the triggers of the configuration until ctx ends. The
// configuration is checked before anything connects to the API server.
func (r *runner) runConfig(ctx context.Context) error {
	cfg, err := readConfig(r.Config, r.ActionsDir)
	if err != nil {
		return err
	}
	result, err := cfg.check(ctx)
	if err != nil {
		return ignoreCanceled(ctx, err)
	}
	if result.Triggers == 0 {
		return InvalidError{fmt.Errorf("%s: no triggers", r.Config)}
	}
	for _, w := range result.Warnings {
		logr.FromContextOrDiscard(ctx).Info("warning", "at", w.String())
	}
	c, _, err := r.newClients(r.newLimiter())
	if err != nil {
		return err
	}
	fromNow := r.From == FromNow
	c.resource.FromNow, c.cron.FromNow, c.webhook.FromNow, c.velaql.FromNow = fromNow, fromNow, fromNow, fromNow
	c.webhook.Server = webhook.NewServer(r.WebhookAddr)
	s, err := r.openFileStore(ctx, c.resource.Server)
	if err != nil {
		return err
	}
	s.configureSources(&c)
	c.webhook.Server.OnRejected = r.monitor.observeRejection
	err = r.runChecked(ctx, cfg, c, s)
	return errors.Join(err, s.close())
}

// runChecked runs the triggers of a configuration that was checked.
func (r *runner) runChecked(ctx context.Context, cfg configuration, c clients, s stores) (failed error) {
	compiled, err := cfg.compileValid(c)
	if err != nil {
		return err
	}
	triggers := compiled.triggers()
	if err := r.checkWebhookAddr(ctx, triggers); err != nil {
		return err
	}
	if err := s.prune(ctx, triggers, c.sources()); err != nil {
		return err
	}
	if r.Journal != "" {
		writer, err := r.create()
		if err != nil {
			return err
		}
		defer func() { failed = errors.Join(failed, writer.Close()) }()
		(&journal.Recorder{Writer: writer}).Record(triggers)
	}
	e, err := engine.New(r.engineOptions(s, r.observers...), triggers)
	if err != nil {
		return InvalidError{err}
	}
	logr.FromContextOrDiscard(ctx).Info("starting", "config", r.Config, "version", r.Version)
	return s.runWith(ctx, func(ctx context.Context) error { return r.runEngine(ctx, e, triggers, c, s) })
}

// checkWebhookAddr returns an error if a trigger is a webhook and the address of webhooks
// cannot be listened on. Waiting for it would lose the requests of others.
func (r *runner) checkWebhookAddr(ctx context.Context, triggers []engine.Trigger) error {
	if !slices.ContainsFunc(triggers, func(t engine.Trigger) bool { return t.SourceType == webhook.Type }) {
		return nil
	}
	l, err := listen(ctx, "--webhook-addr", r.WebhookAddr)
	if err != nil {
		return err
	}
	return l.Close()
}

// runEngine runs e, which has triggers, until ctx ends, and replays dead letters meanwhile.
func (r *runner) runEngine(ctx context.Context, e *engine.Engine, triggers []engine.Trigger, c clients, s stores) error {
	r.monitor.setEngine(e)
	if s.store == nil {
		return e.Run(ctx)
	}
	replayer := replay.Replayer{
		DeadLetters: s.store.DeadLetters(), Engine: e, Complete: c.completer(triggers),
		Interval: s.replayInterval, Wake: s.replays, Clock: clock.RealClock{},
	}
	// The replayer stops after the engine: its events are acknowledged by then.
	replayCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		replayer.Run(replayCtx)
	}()
	err := e.Run(ctx)
	stop()
	<-done
	return err
}

// engineOptions returns the options of an engine with the store of s.
func (r *runner) engineOptions(s stores, observers ...engine.Observer) engine.Options {
	return engine.Options{
		Defaults: engine.Policy{
			Timeout:     r.Timeout,
			Concurrency: r.Workers,
			QueueSize:   r.QueueSize,
			Retry:       engine.Retry{Limit: &r.MaxRetry, Backoff: engine.Backoff{Initial: r.RetryDelay}},
		},
		QueueBytes:    cmp.Or(r.QueueBytes, defaultQueueBytes()),
		ShutdownGrace: r.ShutdownGrace,
		FailFast:      r.FailFast,
		DeadLetters:   s.deadLetters(),
		Observer:      append(observe.Observers(observers), r.monitor.observers()...),
	}
}
