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
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
)

// errEnded is returned by reader.read at the end of a stream.
var errEnded = errors.New("the stream ended")

// reader reads a stream from a position on.
type reader struct {
	principal
	clock clock.Clock
	// metadataOf is the kind of the objects if only their metadata is read, otherwise empty.
	metadataOf schema.GroupVersionKind
	// allowed is the result of the last check, at checkedAt.
	allowed   bool
	checkedAt time.Time
	// stream is the stream that is read. It changes when the reader has caught up with
	// another one.
	stream *stream
	// next is the sequence number of the next event. It is below that of the first event of
	// the stream if the reader was too slow.
	next int
	// position is the version of the last event, or the one after which the reader started.
	position version
	// verbatim is set if the reader opened the stream: it gets all events and errors of it.
	verbatim bool
	// wake receives a value when there may be something to read.
	wake chan struct{}
}

// read returns the next event, whose object the caller may modify. It blocks until there is
// one. The error is errEnded if the stream has ended or the reader is too slow, and ctx's error
// if ctx ends.
func (r *reader) read(ctx context.Context) (watch.Event, error) {
	for {
		got, ok, err := r.take()
		if errors.Is(err, errUnchecked) {
			r.check(ctx)
			continue
		}
		if ok || err != nil {
			return got, err
		}
		select {
		case <-ctx.Done():
			return watch.Event{}, ctx.Err()
		case <-r.wake:
		}
	}
}

// take returns the next event, if there is one. The error is errUnchecked if that depends on a
// check of r.
func (r *reader) take() (got watch.Event, ok bool, err error) {
	e, err := r.advance()
	if e == nil || err != nil {
		return watch.Event{}, false, err
	}
	if u, isObject := e.Object.(*unstructured.Unstructured); isObject && r.metadataOnly() {
		e.Object = metadataOf(u, r.metadataOf)
	}
	if e.shared {
		e.Object = e.Object.DeepCopyObject()
	}
	return e.Event, true, nil
}

func (r *reader) metadataOnly() bool { return !r.metadataOf.Empty() }

// advance moves to the next event and returns it, or nil if it is not there yet.
func (r *reader) advance() (*unreadEvent, error) {
	s := r.stream.streams
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		st := r.stream
		i := r.next - st.first
		switch {
		case i < 0:
			return nil, errEnded
		case i < len(st.unread):
			e := &st.unread[i]
			if err := r.admit(e.Event); err != nil {
				return nil, err
			}
			r.next++
			e.pending--
			e.shared = e.shared || e.pending > 0
			got := *e
			st.evictRead()
			if got.Type == watch.Error && !r.verbatim {
				return nil, errEnded
			}
			if got.Type != watch.Error && r.has(got.version) {
				continue
			}
			return &got, nil
		case st.ended && st.err != nil:
			return nil, st.err
		case st.ended:
			return nil, errEnded
		default:
			moved, err := r.moveOn()
			if err != nil {
				return nil, err
			}
			if !moved {
				st.requestNext()
				return nil, nil
			}
		}
	}
}

// has reports whether an event at v is one that the reader has, or started after. Otherwise
// it sets the position.
func (r *reader) has(v version) bool {
	if !r.verbatim && v&hashed == 0 && !r.position.before(v) {
		return true
	}
	r.position = v
	return false
}

// moveOn moves the reader, which has read all events of its stream, to the first stream that
// has all events after its position, and reports whether that is another one. The error is
// errUnchecked if that depends on a check of r.
func (r *reader) moveOn() (bool, error) {
	to, err := r.stream.streams.find(r.stream.key, r)
	if err != nil || to == nil || to == r.stream {
		return false, err
	}
	r.stream.drop(r)
	to.add(r)
	return true, nil
}

// stop ends the reader.
func (r *reader) stop() {
	s := r.stream.streams
	s.mu.Lock()
	defer s.mu.Unlock()
	r.stream.drop(r)
}

func (r *reader) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
