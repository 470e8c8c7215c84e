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

package resource

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

const (
	// minWatchTimeout and maxWatchTimeout limit the timeout of a watch request. It is
	// random, so that clients do not all reconnect to a restarted API server at once.
	minWatchTimeout = 5 * time.Minute
	maxWatchTimeout = 10 * time.Minute
	// watchTimeoutGrace is the time after the timeout when a stream that the API server
	// has not closed is closed by the client.
	watchTimeoutGrace = 30 * time.Second
	// maxUnread and maxUnreadBytes limit the events that a stream keeps for slow readers,
	// but for the last event.
	maxUnread      = 1024
	maxUnreadBytes = 4 << 20
)

// stream is a watch stream, and the events of it that not all readers have read. The lock of
// Streams guards the fields from readers on.
type stream struct {
	streams *Streams
	key     streamKey
	// account is the one that requested the stream, and application is its Application.
	account, application string
	clock                clock.Clock
	// metadataOnly is set if the objects have metadata only.
	metadataOnly bool
	cancel       context.CancelFunc
	// opened is closed when openErr and openedAt are set.
	opened   chan struct{}
	openErr  error
	openedAt time.Time
	// demand receives a value when a reader waits for the next event.
	demand chan struct{}

	readers []*reader
	// unread are the events from the sequence number first on. bytes is their size.
	unread []unreadEvent
	first  int
	bytes  int64
	// floor is the version after which the stream has all events.
	floor version
	// ended is set when the stream has ended, with err if it is not nil.
	ended bool
	err   error
}

// unreadEvent is an event that not all readers have read.
type unreadEvent struct {
	watch.Event
	version version
	bytes   int64
	// pending is the number of readers that have not read it yet.
	pending int
	// shared is set if a reader may be reading the object.
	shared bool
}

// run opens the stream and reads it until it ends or has no readers.
func (st *stream) run(ctx context.Context, open openFunc) {
	defer st.cancel()
	lifetime := minWatchTimeout + rand.N(maxWatchTimeout-minWatchTimeout)
	upstream, err := panicerr.Call(func() (watch.Interface, error) { return open(ctx, int64(lifetime.Seconds())) })
	st.openErr, st.openedAt = err, st.clock.Now()
	if err != nil {
		st.end(nil)
	}
	close(st.opened)
	if err != nil {
		return
	}
	defer upstream.Stop()
	deadline := st.clock.NewTimer(lifetime + watchTimeoutGrace)
	defer deadline.Stop()
	for {
		select { // nothing is read before a reader needs it
		case <-ctx.Done():
			return
		case <-st.demand:
		}
		select {
		case <-ctx.Done():
			return
		case <-deadline.C():
			st.end(fmt.Errorf("not closed by the API server after %s", lifetime))
			return
		case got, ok := <-upstream.ResultChan():
			if !ok {
				st.end(nil)
				return
			}
			st.push(got)
		}
	}
}

// push adds an event for all readers. Those that are too slow lose the stream.
func (st *stream) push(got watch.Event) {
	e := unreadEvent{Event: got}
	if o, ok := got.Object.(metav1.Object); ok {
		e.version = versionOf(o.GetResourceVersion())
	}
	if u, ok := got.Object.(*unstructured.Unstructured); ok {
		e.bytes = event.Size(u.Object)
	}
	st.streams.mu.Lock()
	defer st.streams.mu.Unlock()
	e.pending = len(st.readers)
	st.unread, st.bytes = append(st.unread, e), st.bytes+e.bytes
	for len(st.unread) > 1 && (len(st.unread) > maxUnread || st.bytes > maxUnreadBytes) {
		st.evict()
	}
	for _, r := range st.readers {
		r.notify()
	}
}

// end ends the stream for all readers, once they have read its events.
func (st *stream) end(err error) {
	st.streams.mu.Lock()
	defer st.streams.mu.Unlock()
	st.endLocked(err)
}

// endLocked is end for a caller that holds the lock of Streams.
func (st *stream) endLocked(err error) {
	st.ended, st.err = true, err
	st.streams.remove(st)
	for _, r := range st.readers {
		r.notify()
	}
}

// add adds a reader of all events of the stream.
func (st *stream) add(r *reader) {
	r.stream, r.next, r.verbatim = st, st.first, false
	st.readers = append(st.readers, r)
	for i := range st.unread {
		st.unread[i].pending++
	}
}

// drop removes a reader. A stream without readers of the account that opened it ends.
func (st *stream) drop(r *reader) {
	st.readers = slices.DeleteFunc(st.readers, func(other *reader) bool { return other == r })
	for i := max(0, r.next-st.first); i < len(st.unread); i++ {
		st.unread[i].pending--
	}
	st.evictRead()
	if !slices.ContainsFunc(st.readers, func(other *reader) bool { return other.account == st.account }) {
		st.endLocked(nil)
		st.cancel()
	}
}

// evictRead forgets the events that all readers have read.
func (st *stream) evictRead() {
	for len(st.unread) > 0 && st.unread[0].pending == 0 {
		st.evict()
	}
}

// evict forgets the first event.
func (st *stream) evict() {
	e := st.unread[0]
	st.unread[0] = unreadEvent{}
	st.unread, st.bytes, st.first = st.unread[1:], st.bytes-e.bytes, st.first+1
	if st.floor.before(e.version) {
		st.floor = e.version
	}
}

// requestNext has the stream read the next event.
func (st *stream) requestNext() {
	select {
	case st.demand <- struct{}{}:
	default:
	}
}
