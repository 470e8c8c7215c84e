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
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/journal"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/store/cluster"
)

// Values of StoreOptions.Store other than a file.
const (
	StoreAuto = "auto"
	StoreNone = "none"
)

// Values of RunOptions.From.
const (
	FromResume = "resume"
	FromNow    = "now"
)

// ClusterOptions select the API server.
type ClusterOptions struct {
	// Kubeconfig is a file. Defaults to $KUBECONFIG, ~/.kube/config, or the
	// ServiceAccount of the pod.
	Kubeconfig string
	// Context is a context of the kubeconfig. Defaults to its current context.
	Context string
	// Version is the version of the program, for the user agent and the log.
	Version string
}

// StoreOptions select the store of a configuration or a TriggerService.
type StoreOptions struct {
	ClusterOptions

	// Config is a file of triggers, or a directory of such files.
	Config string
	// TriggerService is a NAMESPACE/NAME, in place of Config. Its store is in the
	// namespace; Store does not apply.
	TriggerService string
	// Store is a file, StoreNone, or StoreAuto for a file in
	// $XDG_STATE_HOME/kube-trigger, one per configuration and API server.
	Store string
}

// RunOptions configure Run.
type RunOptions struct {
	StoreOptions
	// The journal records the events of the triggers of Config.
	JournalOptions

	// WorkerNamespace is a namespace whose TriggerServices are run, in place of Config and
	// TriggerService: those that the controller has assigned to its worker.
	WorkerNamespace string
	// ActionsDir is a directory of actions, as CUE or as objects in YAML, which take
	// precedence over the built-in actions of the same name. Optional.
	ActionsDir string

	// Workers is the number of objects that a trigger acts on concurrently.
	Workers int
	// QueueSize is the number of events that a trigger accepts before its source
	// has to wait.
	QueueSize int
	// QueueBytes is the memory for the data of events in progress, which all triggers
	// share. Defaults to a quarter of the memory limit of the process, or
	// engine.DefaultQueueBytes without a limit.
	QueueBytes int64
	// Timeout limits one attempt of an action.
	Timeout time.Duration
	// MaxRetry is the number of retries of a failed action. 0 for none.
	MaxRetry int
	// RetryDelay is the delay before the first retry. It doubles with each retry.
	RetryDelay time.Duration
	// ShutdownGrace is the time that running actions get to finish after the
	// context has ended.
	ShutdownGrace time.Duration
	// FailFast ends Run with the error of the first source that fails. Otherwise
	// sources are restarted with backoff.
	FailFast bool

	// From is FromResume, or FromNow to skip the events since the last run.
	From string
	// AdoptStore takes over a store file that belongs to another configuration.
	AdoptStore bool
	// ControllerKey is the public key with which the worker of a TriggerService verifies
	// what the controller has accepted, as acceptance.ParseKey reads it. It is required
	// with TriggerService and WorkerNamespace.
	ControllerKey string
	// StateDir is a directory that outlives the process, in which a worker records evaluations that crash it. Defaults to one in the shared
	// memory of the pod, which outlives its containers, or among the temporary files.
	StateDir string
	// PodName is the identity of a worker. Defaults to the host name.
	PodName string
	// LeaseDuration is the time after a crash of the worker of a TriggerService for
	// which no other worker takes over, in whole seconds. The worker renews its Lease
	// every third of it.
	LeaseDuration time.Duration

	// AllowAddresses are addresses and prefixes that actions may connect to
	// although they are loopback, link-local, or a cloud's metadata service.
	AllowAddresses []string
	// DenyAddresses are addresses and prefixes that actions may not connect to, also if
	// AllowAddresses lists them.
	DenyAddresses []string
	// DenyPrivate denies private networks that AllowAddresses does not list.
	DenyPrivate bool
	// KubeAPIQPS is the number of requests to the API server that the triggers of one
	// TriggerService, or of the configuration, may send per second. 0 for no limit.
	KubeAPIQPS float32
	// KubeAPIBurst is the number of requests that they may send at once. 0 for twice
	// KubeAPIQPS.
	KubeAPIBurst int
	// ClusterAccess is a multicluster.Access, by which joined clusters are reached.
	ClusterAccess string

	// MetricsAddr is the address of /metrics, /healthz, /readyz and
	// /debug/decisions. Empty for none.
	MetricsAddr string
	// MetricsAuth has /metrics answer only callers whose token the API server accepts, and
	// who may get the path.
	MetricsAuth bool
	// WebhookAddr is the address of webhooks. It is bound while a trigger has one.
	WebhookAddr string

	// observers receive what the triggers of Config do. Optional.
	observers []engine.Observer
}

// DefaultRunOptions returns the defaults of `kube-trigger run`.
func DefaultRunOptions() RunOptions {
	return RunOptions{
		StoreOptions:   StoreOptions{Store: StoreAuto},
		JournalOptions: JournalOptions{JournalSize: journal.DefaultMaxSize},
		Workers:        engine.DefaultConcurrency,
		QueueSize:      engine.DefaultQueueSize,
		Timeout:        engine.DefaultTimeout,
		MaxRetry:       engine.DefaultRetryLimit,
		RetryDelay:     engine.DefaultBackoffInitial,
		ShutdownGrace:  engine.DefaultShutdownGrace,
		From:           FromResume,
		LeaseDuration:  cluster.DefaultLeaseDuration,
		ClusterAccess:  string(multicluster.Auto),
		WebhookAddr:    ":8090",
	}
}
