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

// Package webhook is the source "webhook": it emits an event when it is called
// over HTTP.
//
//   - All webhooks of a process share one Server, each has a path of its own.
//   - A call is answered with 202 only once its event is stored. From then on the
//     event is delivered until it is done, also after a crash.
//   - A delivery that was taken before is answered with 200, and not delivered
//     again: for a day, and the last MaxSeen of a trigger, also after a restart.
//     With signatures that have a timestamp, no delivery can be repeated at all:
//     what cannot be remembered any more is refused.
//   - Who may call is decided in constant time, and where it cannot be decided,
//     because the secret or the API server is not there, nobody may (503).
//   - Memory is bounded, whatever is sent, by the constants of this package.
//   - Headers and parameters that may hold a secret are not part of an event.
//
// Without a store events are kept in memory, and 202 means no more than that.
//
// An event's Data is `{path, headers, query, body, cloudEvent?, image?, images?}`;
// its Type is what the sender says that it is, or "request". Its Key is that of
// the image or of the CloudEvent's source and subject, so that these are handled
// in order; and its own otherwise.
package webhook

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// Type is the name of the source, as triggers write it.
const Type = "webhook"

const (
	// MaxConnections is how many connections a Server has at a time. Others
	// wait.
	MaxConnections = 512
	// HeaderTimeout is how long a call may take to send its headers.
	HeaderTimeout = 3 * time.Second
	// ReadTimeout is how long it may take to send all, but for large bodies.
	ReadTimeout = 4500 * time.Millisecond
	// WriteTimeout is how long it may take to be answered, from its headers on.
	WriteTimeout = 25 * time.Second
	// IdleTimeout is how long a connection is kept without a call.
	IdleTimeout = 15 * time.Second
	// MaxHeaderBytes is the size of the headers.
	MaxHeaderBytes = 16 << 10
	// MaxBodyBytes is the size of a body, where the trigger allows no less.
	MaxBodyBytes = 1 << 20
	// LargeBodyBytes is the size from which on a body is large.
	LargeBodyBytes = 16 << 10
	// MaxLargeBodies is how many large bodies a Server reads at a time. Others wait.
	MaxLargeBodies = 8
	// LargeBodyWait is how long they do.
	LargeBodyWait = 12 * time.Second
	// LargeBodyReadTimeout is how long a call may take to send the rest of a large body.
	LargeBodyReadTimeout = 4 * time.Second
	// MaxConcurrentDecodes is how many calls a Server decodes and stores at a time.
	MaxConcurrentDecodes = 32
	// StoreTimeout is how long a call waits for its event to be stored.
	StoreTimeout = 10 * time.Second
	// MaxMemoryBytes is how much of the events of a trigger is in memory, in bytes.
	// Others are in the store.
	MaxMemoryBytes = 8 << 20
	// MaxDedupEntries is how many deliveries of a trigger are remembered.
	MaxDedupEntries = 100_000
	// DedupTTL is how long they are.
	DedupTTL = 24 * time.Hour
	// SecretTTL is how long a secret that was read is not read again.
	SecretTTL = 10 * time.Second
	// TokenReviewTTL is how long a token that was accepted is not asked about again.
	TokenReviewTTL = 10 * time.Second
)

//go:embed properties.cue
var properties string

// Options is what sources of this package work with. Server and Clock are
// required to run.
type Options struct {
	Server *Server
	Clock  clock.Clock
	// Client reads Secrets and asks about tokens. Where it is nil, what needs it
	// is refused.
	Client client.Client
	// Queue, Resumes and Saver keep what was taken, and remember what was done.
	// All are nil, or none.
	Queue       store.Queue
	Checkpoints store.Checkpoints
	Saver       Saver
	// FromNow leaves out what was taken and not done before.
	FromNow bool
}

// Saver takes note of what is done, and returns at once. store.Saver is one.
type Saver interface {
	Save(watch string, c store.Change)
	// Ack removes an event from the spool after what was saved before.
	Ack(source, id string)
}

// New returns the compiler of this source's properties. It needs neither a
// server nor a cluster to check them.
func New(o Options) source.Compiler {
	s := schema.NewLazy(properties)
	keys := &secretCache{client: o.Client, clock: o.Clock, entries: map[secretRef]secretEntry{}}
	reviews := &tokenReviewer{client: o.Client, clock: o.Clock, accepted: map[string]time.Time{}}
	return func(given map[string]any, t source.Spec) (source.Subscription, diag.List) {
		h, problems := parse(s, given, t.TriggerRef, keys, reviews)
		if len(problems) > 0 {
			return nil, problems
		}
		return subscription{hook: h, options: o}, nil
	}
}

// Prune forgets the webhooks that none of subscriptions, which are all that
// there are, stands for any more, and what they have taken.
func Prune(ctx context.Context, r store.Checkpoints, queue store.Queue, subscriptions []source.Subscription) error {
	return store.Prune(ctx, r, source.Unused(Type, subscriptions), func(ctx context.Context, name string) error {
		return errors.Join(releaseAll(ctx, queue, name), r.Delete(ctx, name))
	})
}

// releaseAll releases all that is spooled under a name.
func releaseAll(ctx context.Context, queue store.Queue, name string) error {
	for ev, err := range queue.Queued(ctx, name) {
		if err != nil {
			return err
		}
		if err := queue.Ack(ctx, name, ev.ID); err != nil {
			return err
		}
	}
	return nil
}
