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

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/engine/replay"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// options are the flags of run; validate takes those about the configuration.
type options struct {
	Config, ActionsDir  string
	Kubeconfig, Context string
	logLevel, logFormat string
	Workers, QueueSize  positive
	Timeout, RetryDelay seconds
	ShutdownGrace       seconds
	MaxRetry            int
	FailFast            bool
	Store, From         string
	AdoptStore          bool
	MetricsAddr         string
	WebhookAddr         string
	// server is what a run shows; nil where it shows nothing.
	server                  *server
	TriggerService, PodName string
	StateDir                string
	AllowAddresses          []string
	ClusterAccess           string
}

func (o *options) configFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.Config, "config", "c", "", "the triggers: a file, or all .yaml, .yml, .json and .cue files of a directory")
	f.StringVar(&o.ActionsDir, "actions-dir", "", "a directory of own actions, one CUE template a file; they go before the built-in ones")
}

// clusterFlags say which cluster is meant.
func (o *options) clusterFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "the kubeconfig file; by default $KUBECONFIG, ~/.kube/config, or the pod's own")
	f.StringVar(&o.Context, "context", "", "the context of the kubeconfig")
	for _, name := range []string{"kubeconfig", "context"} {
		_ = f.SetAnnotation(name, noEnv, []string{})
	}
}

// storeFlags say where it is remembered what is done.
func (o *options) storeFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Store, "store", storeAuto, "the file that remembers what is done; auto: one for this configuration and API server, in $XDG_STATE_HOME/kube-trigger; none: no file")
	f.StringVar(&o.TriggerService, "trigger-service", "", "the triggers of this TriggerService, NAMESPACE/NAME, instead of a configuration; what is done is remembered in its namespace")
}

// connectionFlags are those of all that stays connected to a cluster.
func (o *options) connectionFlags(f *pflag.FlagSet) {
	o.clusterFlags(f)
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
}

// policyFlags are those of all that runs triggers.
func (o *options) policyFlags(f *pflag.FlagSet) {
	o.Workers, o.QueueSize = engine.DefaultConcurrency, engine.DefaultQueueSize
	o.Timeout, o.RetryDelay = seconds(engine.DefaultTimeout), seconds(engine.DefaultBackoffInitial)
	o.ShutdownGrace = seconds(engine.DefaultShutdownGrace)
	f.Var(&o.Workers, "workers", "how many objects each trigger acts on at the same time")
	f.Var(&o.QueueSize, "queue-size", "how many events each trigger accepts before its source has to wait")
	f.Var(&o.Timeout, "timeout", "how long one attempt at an action may take")
	f.IntVar(&o.MaxRetry, "max-retry", engine.DefaultRetryLimit, "how often an action that failed is tried again")
	f.Var(&o.RetryDelay, "retry-delay", "the wait before the first retry; it doubles after each")
	f.StringSliceVar(&o.AllowAddresses, "allow-address", nil, "addresses and prefixes that actions may connect to although they are this machine's, link-local, or a cloud's metadata service")
	f.StringVar(&o.ClusterAccess, "cluster-access", string(multicluster.Auto), "how joined clusters are reached: gateway, by the API of cluster-gateway; secret, by the Secrets that join them; auto, gateway where that is installed, else secret")
	f.Var(&o.ShutdownGrace, "shutdown-grace", "how long running actions may take to finish when the process is told to end")
}

func (o *options) runFlags(f *pflag.FlagSet) {
	o.configFlags(f)
	o.connectionFlags(f)
	o.policyFlags(f)
	o.storeFlags(f)
	f.BoolVar(&o.AdoptStore, "adopt-store", false, "take over a store that another configuration has used, without what that one has not done yet")
	f.StringVar(&o.From, "from", fromResume, "where to begin: resume, with what was not done yet when kube-trigger stopped; now, without that")
	f.StringVar(&o.StateDir, "state-dir", "", "a folder that outlives this process, where a worker of a TriggerService remembers which filters ended it; by default it does not")
	f.StringVar(&o.PodName, "pod-name", "", "what tells this worker of a TriggerService from others; by default the host's name")
	f.StringVar(&o.MetricsAddr, "metrics-addr", "", "where to serve /metrics, /healthz, /readyz and /debug/decisions, such as :8080; by default nowhere")
	f.StringVar(&o.WebhookAddr, "webhook-addr", ":8090", "where webhooks are called; nothing listens there without a webhook")
	f.BoolVar(&o.FailFast, "fail-fast", false, "exit when a source fails, instead of trying it again")
}

func runCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:     "run -c FILE|DIR",
		Short:   "Run triggers",
		Long:    "Run triggers. Each flag can be given as an environment variable: --log-level as LOG_LEVEL.",
		Args:    noArgs,
		PreRunE: flagsFromEnv,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.runFlags(cmd.Flags())
	return cmd
}

// run runs the triggers until the command's context ends.
func (o *options) run(cmd *cobra.Command) error {
	log, err := o.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if o.MaxRetry < 0 {
		return invalid{fmt.Errorf("--max-retry %d: must be 0 or more", o.MaxRetry)}
	}
	if o.From != fromResume && o.From != fromNow {
		return invalid{fmt.Errorf("--from %q: must be %s or %s", o.From, fromResume, fromNow)}
	}
	// What Kubernetes' libraries log goes the same way.
	klog.SetLogger(log.WithName("client"))
	crlog.SetLogger(log.WithName("client"))
	ctx := logr.NewContext(cmd.Context(), log)
	if o.server, err = o.newServer(ctx); err != nil {
		return err
	}
	return o.server.runWith(ctx, func(ctx context.Context) error {
		if o.TriggerService != "" {
			return o.runService(ctx)
		}
		return o.runConfig(ctx)
	})
}

// runConfig runs the triggers of the configuration until ctx ends.
func (o *options) runConfig(ctx context.Context) error {
	// The configuration is checked before the cluster is looked for.
	in, err := o.read()
	if err != nil {
		return err
	}
	if _, err := in.check(ctx); err != nil {
		return ignoreCanceled(ctx, err)
	}
	c, err := o.connect()
	if err != nil {
		return err
	}
	m, err := o.openStore(ctx, c.resource.Server)
	if err != nil {
		return err
	}
	m.configureSources(&c)
	err = o.work(ctx, in, c, m)
	return errors.Join(err, m.close())
}

// work runs the triggers of in, which are checked, and remembers in m what is done.
func (o *options) work(ctx context.Context, in configuration, c clients, m stores) error {
	triggers, problems, err := in.compile(c, func(string) string { return "" })
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return invalid{problems}
	}
	if err := m.prune(ctx, triggers); err != nil {
		return err
	}
	e, err := engine.New(o.engine(m), triggers)
	if err != nil {
		return invalid{err}
	}
	logr.FromContextOrDiscard(ctx).Info("starting", "config", o.Config, "version", version)
	return m.runWith(ctx, func(ctx context.Context) error { return o.runEngine(ctx, e, c, m) })
}

// runEngine runs e until ctx ends, shows what it does, and replays what is asked
// for.
func (o *options) runEngine(ctx context.Context, e *engine.Engine, c clients, m stores) error {
	o.server.setEngine(e)
	if m.store == nil {
		return e.Run(ctx)
	}
	r := replay.Replayer{
		DeadLetters: m.store, Engine: e, Complete: c.refetch,
		Interval: replayInterval, Wake: m.replayRequested, Clock: clock.RealClock{},
	}
	replaying, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(replaying)
	}()
	err := e.Run(ctx)
	stop()
	<-ended
	return err
}

// engine returns what all triggers have in common.
func (o *options) engine(m stores, observers ...engine.Observer) engine.Options {
	return engine.Options{
		Defaults: engine.Policy{
			Timeout:     time.Duration(o.Timeout),
			Concurrency: int(o.Workers),
			QueueSize:   int(o.QueueSize),
			Retry:       engine.Retry{Limit: &o.MaxRetry, Backoff: engine.Backoff{Initial: time.Duration(o.RetryDelay)}},
		},
		ShutdownGrace: time.Duration(o.ShutdownGrace),
		FailFast:      o.FailFast,
		DeadLetters:   m.deadLetters(),
		Observers:     append(observers, o.server.observers()...),
	}
}

func (o *options) logger(to io.Writer) (logr.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return logr.Logger{}, invalid{fmt.Errorf("--log-level %q: must be debug, info, warn or error", o.logLevel)}
	}
	handlerOptions := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "text":
		return logr.FromSlogHandler(slog.NewTextHandler(to, handlerOptions)), nil
	case "json":
		return logr.FromSlogHandler(slog.NewJSONHandler(to, handlerOptions)), nil
	}
	return logr.Logger{}, invalid{fmt.Errorf("--log-format %q: must be text or json", o.logFormat)}
}
