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

// Package webhook is the source "webhook": it emits an event for each HTTP
// request to the trigger's path.
//
//   - All webhooks of a process share one Server; each has its own path.
//   - A request is answered with 202, or 200 where the trigger or the sender needs it, only
//     after its event is stored. A stored event is delivered until it is acknowledged, also
//     after a crash.
//   - Deliveries are deduplicated. A repeated delivery is answered with 200 and emits
//     no event, unless the event became a dead letter: then it is replayed. Deliveries
//     are remembered for DedupTTL, at most MaxDedupEntries per trigger, also across
//     restarts. With signatures that carry a timestamp, a
//     delivery can never be replayed: when it cannot be remembered for as long as its
//     timestamp is valid, it is rejected with 503.
//   - Secrets are compared in constant time. If the secret or the API server is
//     unavailable, every request is rejected with 503.
//   - Rejected requests are logged and reported to the Server's OnRejected.
//   - Memory is bounded for any input, by the constants of this package.
//   - Headers and query parameters that may hold a secret are not part of an event.
//
// Without a store, events are queued in memory, and 202 promises no more than that.
//
// Each CloudEvent of a batch is an event of its own. An event's Data is
// `{path, headers, query, body, cloudEvent?, action?, image?, images?}`.
// Its Type is the sender's, or "request". Its Key is derived from the image
// repository or from the CloudEvent's source and subject, so that events of one of
// them are handled in order; otherwise it is the event's ID.
package webhook

import (
	_ "embed"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/access"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// Type is the source's type in triggers.
const Type = "webhook"

const (
	// MaxConnections limits the open connections of a Server. Further connections
	// wait.
	MaxConnections = 512
	// HeaderTimeout limits the time to read a request's headers.
	HeaderTimeout = 3 * time.Second
	// ReadTimeout limits the time to read a request, except for large bodies.
	ReadTimeout = 4500 * time.Millisecond
	// WriteTimeout limits the time from the end of the headers to the end of the
	// response.
	WriteTimeout = 25 * time.Second
	// IdleTimeout limits the time that an idle connection stays open.
	IdleTimeout = 15 * time.Second
	// MaxHeaderBytes limits the size of the headers.
	MaxHeaderBytes = 16 << 10
	// MaxBodyBytes limits the size of a body, unless the trigger sets a lower limit.
	MaxBodyBytes = 1 << 20
	// LargeBodyBytes is the size from which a body counts as large.
	LargeBodyBytes = 16 << 10
	// MaxLargeBodies limits the large bodies that a Server reads concurrently.
	// Further requests wait up to LargeBodyWait.
	MaxLargeBodies = 8
	// LargeBodyWait limits the time that a request with a large body waits to be read.
	LargeBodyWait = 12 * time.Second
	// LargeBodyReadTimeout limits the time to read the rest of a large body.
	LargeBodyReadTimeout = 4 * time.Second
	// MaxConcurrentDecodes limits the requests that a Server decodes and stores
	// concurrently.
	MaxConcurrentDecodes = 32
	// StoreTimeout limits the time to store an event.
	StoreTimeout = 10 * time.Second
	// MaxMemoryBytes limits the memory that the queued events of a trigger take.
	// Further events stay in the store only.
	MaxMemoryBytes = 8 << 20
	// MaxDedupEntries limits the deliveries of a trigger that are remembered.
	MaxDedupEntries = 100_000
	// DedupTTL is how long a delivery is remembered.
	DedupTTL = 24 * time.Hour
	// MaxFailures is the number of requests that may fail authentication at once from
	// one address. Further failures are answered with 429. Requests that pass are not
	// limited by them.
	MaxFailures = 100
	// FailuresPerSecond is how many more requests may fail per second.
	FailuresPerSecond = 5
	// MinKeyBytes is the size of a key below which a warning is logged.
	MinKeyBytes = 16
	// SecretTTL is how long a secret is cached.
	SecretTTL = 10 * time.Second
)

//go:embed properties.cue
var properties string

// Options configure this source. Server and Clock are required to run.
type Options struct {
	Server *Server
	Clock  clock.Clock
	// Client reads Secrets and creates TokenReviews. If it is nil, requests that
	// need it are rejected.
	Client client.Client
	// Queue, Checkpoints and Saver persist events and deliveries. Either all of them
	// are set, or none.
	Queue       store.Queue
	Checkpoints store.Checkpoints
	Saver       store.Saver
	// DeadLetters has the events that were given up. A repeated delivery of one of them
	// has it handled again. Optional.
	DeadLetters store.DeadLetters
	// Fetch reads the certificates of Amazon SNS and the keys of issuers of ID tokens, and
	// confirms subscriptions. It must not connect to addresses that are closed to
	// strangers, and follow no redirect to another host. If it is nil, requests that need
	// it are rejected.
	Fetch FetchFunc
	// FromNow discards stored events that are not acknowledged.
	FromNow bool
}

// New returns the factory of this source. Compiling needs neither a
// server nor a cluster.
func New(o Options) source.Factory {
	s := schema.NewLazy(properties)
	by := authorities{
		secrets:  &secretCache{client: o.Client, clock: o.Clock, entries: map[secretRef]secretEntry{}},
		reviewer: access.NewReviewer(o.Client, o.Clock),
		sns:      newSNSVerifier(o.Fetch, o.Clock),
		oidc:     newOIDCVerifier(o.Fetch, o.Clock),
	}
	return source.Factory{Properties: properties, Capabilities: source.Capabilities{Objectless: true, Form: event.Form{Data: dataType()}}, Compile: func(given map[string]any, t source.Spec) (source.Subscription, diag.List) {
		h, diags := parse(s, given, t.TriggerRef, by)
		if len(diags) > 0 {
			return nil, diags
		}
		return subscription{hook: h, options: o}, nil
	}}
}
