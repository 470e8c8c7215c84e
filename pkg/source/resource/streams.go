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
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// Streams shares the watch streams of one API server among the sources of a process. Watches
// of one identity with equal kind, namespace and selectors read one stream, and each of them
// gets what a stream of its own, from its own position, would have. The zero value is ready to
// use. It is safe for concurrent use.
//
//   - Watches with equal Options.Account have one identity. Those of different accounts with
//     equal Options.Application share a stream, too, while each reader may watch the same
//     objects itself: see reader.mayRead.
//   - A stream ends with the last reader of the account that opened it.
//   - A watch that starts joins a stream that still has all events after its position. If there
//     is none, it opens a stream, and joins another one as soon as it has caught up with it.
//   - The fastest reader of a stream sets its pace. For the others the stream keeps the events
//     that they have not read yet, up to maxUnread events or maxUnreadBytes. The stream of a
//     reader that falls behind these ends, so that it watches from its position again. A stream
//     with one reader keeps no events.
//   - Each reader gets an object of its own.
//   - A watch of metadata joins a stream of whole objects rather than one of metadata, and gets
//     the metadata.
//   - An error of a stream is that of the watch that opened it. For the others the stream ends.
type Streams struct {
	mu sync.Mutex
	// open are the streams that can be joined, those of whole objects first, in the order in which
	// they were opened.
	open map[streamKey][]*stream
}

// streamKey is equal for watches that may share a stream.
type streamKey struct {
	resource                  schema.GroupVersionResource
	namespace, labels, fields string
}

// openFunc requests a stream with a timeout in seconds.
type openFunc func(ctx context.Context, timeout int64) (watch.Interface, error)

// subscribe returns a reader like template, of the events after its position. If there is no
// stream to join, it requests one by open. Values of ctx are those of the request, which outlasts
// ctx if others join the stream.
func (s *Streams) subscribe(ctx context.Context, key streamKey, template reader, open openFunc) (*reader, error) {
	for {
		r := new(reader)
		*r = template
		r.wake = make(chan struct{}, 1)
		for errors.Is(s.join(ctx, key, r, open), errUnchecked) {
			r.check(ctx)
		}
		select {
		case <-ctx.Done():
			r.stop()
			return nil, ctx.Err()
		case <-r.stream.opened:
		}
		switch {
		case r.stream.openErr == nil:
			return r, nil
		case r.verbatim || r.stream.account == r.account && !isHistoryGone(r.stream.openErr):
			r.stop()
			return nil, r.stream.openErr
		}
		r.stop() // the history after this position may be there, and the account may have the right
	}
}

// join adds r to a stream, which it opens if there is none. The error is errUnchecked if that
// depends on a check of r.
func (s *Streams) join(ctx context.Context, key streamKey, r *reader, open openFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	joined, err := s.find(key, r)
	if err != nil {
		return err
	}
	if joined != nil {
		joined.add(r)
		return nil
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	st := &stream{
		streams: s, key: key, account: r.account, application: r.application, clock: r.clock, metadataOnly: r.metadataOnly(), cancel: cancel, floor: r.position,
		opened: make(chan struct{}), demand: make(chan struct{}, 1),
	}
	if r.position&hashed == 0 { // positions that are not numbers cannot be compared
		if s.open == nil {
			s.open = map[streamKey][]*stream{}
		}
		s.add(st)
	}
	st.add(r)
	r.verbatim = true
	go st.run(ctx, open)
	return nil
}

// add makes st possible to join. Streams of whole objects come first.
func (s *Streams) add(st *stream) {
	all := s.open[st.key]
	i := len(all)
	for i > 0 && all[i-1].metadataOnly && !st.metadataOnly {
		i--
	}
	s.open[st.key] = slices.Insert(all, i, st)
}

// find returns the first stream that has all events after the position of r and that r reads, or
// may read; nil if there is none. The error is errUnchecked if that depends on a check of r.
func (s *Streams) find(key streamKey, r *reader) (*stream, error) {
	for _, st := range s.open[key] {
		if r.position&hashed != 0 || r.position.before(st.floor) || st.metadataOnly && !r.metadataOnly() {
			continue
		}
		if st == r.stream {
			return st, nil
		}
		may, err := r.mayRead(st)
		if err != nil {
			return nil, err
		}
		if may {
			return st, nil
		}
	}
	return nil, nil
}

// remove makes st impossible to join.
func (s *Streams) remove(st *stream) {
	left := slices.DeleteFunc(s.open[st.key], func(other *stream) bool { return other == st })
	if len(left) == 0 {
		delete(s.open, st.key)
		return
	}
	s.open[st.key] = left
}
