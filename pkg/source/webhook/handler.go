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

package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/webhook/image"
	"github.com/kubevela/kube-trigger/pkg/source/webhook/payload"
	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	// maxDrained limits the bytes of a too large body that are read and discarded.
	maxDrained = 4 << 20
	// retryAfter is the value of the header Retry-After, in seconds.
	retryAfter = "5"
)

// noEvent is a response to a request that emits no event. It is an error unless its
// status is 200.
type noEvent struct {
	status int
	// message is the response's body; cause is only logged.
	message string
	cause   error
}

// handler serves the requests of one hook.
type handler struct {
	*hook
	server   *Server
	receiver *receiver
	log      logr.Logger
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, isNew, response := h.receive(w, r)
	if response != nil && response.status == http.StatusOK {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, response.message) // fails if the client has gone
		return
	}
	if response != nil {
		if response.status == http.StatusRequestEntityTooLarge {
			// A client that is still sending would otherwise get a broken connection
			// instead of the response.
			_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
		}
		h.writeError(w, r, response)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if isNew {
		w.WriteHeader(http.StatusAccepted)
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"event": id}) // fails if the client has gone
}

func (h *handler) writeError(w http.ResponseWriter, r *http.Request, response *noEvent) {
	switch response.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", h.auth.challenge)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	if response.status == http.StatusServiceUnavailable && response.cause != nil {
		h.log.Error(response.cause, "Webhook cannot accept requests")
	} else {
		log := h.log
		if !h.failures.isNew(r, response.status) {
			log = log.V(1)
		}
		log.Info("Request rejected", "status", response.status, "reason", response.message, "cause", response.cause, "from", r.RemoteAddr)
	}
	http.Error(w, response.message, response.status)
}

// receive authenticates and reads a request, and stores its event. It returns the
// event's ID and whether the delivery is new, or the response of a rejected request.
func (h *handler) receive(w http.ResponseWriter, r *http.Request) (id string, isNew bool, response *noEvent) {
	switch {
	case r.Method != http.MethodPost:
		return "", false, &noEvent{http.StatusMethodNotAllowed, "method not allowed: use POST", nil}
	case r.ContentLength > h.maxBody:
		return "", false, tooLarge(nil)
	}
	body, release, response := h.authenticated(w, r)
	defer release()
	if response != nil {
		return "", false, response
	}
	if err := h.server.decoders.Acquire(r.Context(), 1); err != nil {
		return "", false, incomplete(err)
	}
	defer h.server.decoders.Release(1)
	ev, err := h.event(r, body, h.receiver.Clock.Now())
	if err != nil {
		return "", false, undecodable(err)
	}
	if h.auth.confirm != nil {
		if text, ok := h.auth.confirm(ev.Data["body"]); ok {
			return "", false, &noEvent{http.StatusOK, text, nil}
		}
	}
	isNew, err = h.store(r.Context(), ev)
	switch {
	case err == nil:
		return ev.ID, isNew, nil
	case errors.Is(err, store.ErrRejected):
		return "", false, tooLarge(err)
	case errors.Is(err, store.ErrFull):
		return "", false, &noEvent{http.StatusServiceUnavailable, "the event queue is full", err}
	}
	return "", false, &noEvent{http.StatusServiceUnavailable, "the event could not be stored", err}
}

// authenticated returns the body of a request that passes authentication and is within
// the rate limit, which only such requests use up. The body is read as late as
// possible. The caller calls release, which is never nil, when it no longer needs the
// body.
func (h *handler) authenticated(w http.ResponseWriter, r *http.Request) (body []byte, release func(), response *noEvent) {
	release = func() {}
	end, ok := h.failures.begin(r)
	if !ok {
		return nil, release, tooManyRequests()
	}
	defer end()
	if response := h.authenticate(r, h.auth.checkHeaders != nil, func() error { return h.auth.checkHeaders(r) }); response != nil {
		return nil, release, response
	}
	signed := h.auth.checkBody != nil
	if !signed && !h.allow() {
		return nil, release, tooManyRequests()
	}
	if body, release, response = h.readBody(w, r); response != nil {
		return nil, release, response
	}
	if response := h.authenticate(r, signed, func() error { return h.auth.checkBody(r, body) }); response != nil {
		return nil, release, response
	}
	if signed && !h.allow() {
		return nil, release, tooManyRequests()
	}
	return body, release, nil
}

// allow counts a request against the trigger's rate limit.
func (h *handler) allow() bool { return h.limiter.AllowN(h.receiver.Clock.Now(), 1) }

func tooManyRequests() *noEvent {
	return &noEvent{http.StatusTooManyRequests, "rate limit exceeded", nil}
}

// authenticate runs check if required, and returns the response to a request that
// fails it: 401 or 429 for errUnauthorized, 503 for other errors.
func (h *handler) authenticate(r *http.Request, required bool, check func() error) *noEvent {
	if !required {
		return nil
	}
	switch err := check(); {
	case err == nil:
		return nil
	case errors.Is(err, errUnauthorized) && !h.failures.add(r):
		return &noEvent{http.StatusTooManyRequests, "too many requests that are not authorized", err}
	case errors.Is(err, errUnauthorized):
		return &noEvent{http.StatusUnauthorized, "not authorized", err}
	default:
		return &noEvent{http.StatusServiceUnavailable, "the request could not be authenticated", err}
	}
}

// readBody reads the body. The caller calls release, which is never nil, when it no
// longer needs the body.
func (h *handler) readBody(w http.ResponseWriter, r *http.Request) (body []byte, release func(), response *noEvent) {
	release = func() {}
	limited := http.MaxBytesReader(w, r.Body, h.maxBody)
	body = make([]byte, 0, h.capacity(r, LargeBodyBytes/4))
	for {
		if len(body) == cap(body) {
			size := int64(LargeBodyBytes)
			if cap(body) >= LargeBodyBytes {
				size = h.maxBody + 1
				if err := h.acquireLargeBody(w, r); err != nil {
					return nil, release, &noEvent{http.StatusServiceUnavailable, "too many concurrent large requests", err}
				}
				release = func() { h.server.largeBodies.Release(1) }
			}
			body = append(make([]byte, 0, h.capacity(r, size)), body...)
		}
		n, err := limited.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, release, nil
		case isTooLarge(err):
			return nil, release, tooLarge(err)
		case err != nil:
			return nil, release, incomplete(err)
		}
	}
}

// capacity returns the buffer size for a body: at most want, and at most one byte
// more than the body can have, so that a read finds its end.
func (h *handler) capacity(r *http.Request, want int64) int64 {
	limit := h.maxBody
	if r.ContentLength >= 0 {
		limit = r.ContentLength
	}
	return min(want, limit+1)
}

// acquireLargeBody waits up to LargeBodyWait for a slot to read a large body, then
// extends the read deadline by LargeBodyReadTimeout.
func (h *handler) acquireLargeBody(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), LargeBodyWait)
	defer cancel()
	if err := h.server.largeBodies.Acquire(ctx, 1); err != nil {
		return err
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(LargeBodyReadTimeout)); err != nil {
		h.server.largeBodies.Release(1)
		return err
	}
	return nil
}

func isTooLarge(err error) bool {
	var limit *http.MaxBytesError
	return errors.As(err, &limit)
}

func tooLarge(err error) *noEvent {
	return &noEvent{http.StatusRequestEntityTooLarge, "request too large", err}
}

// incomplete is the response to a request that was not sent to its end.
func incomplete(err error) *noEvent {
	return &noEvent{http.StatusRequestTimeout, "incomplete request", err}
}

func undecodable(err error) *noEvent {
	switch {
	case errors.Is(err, payload.ErrUnsupported):
		return &noEvent{http.StatusUnsupportedMediaType, err.Error(), err}
	case errors.Is(err, payload.ErrTooLarge):
		return tooLarge(err)
	case errors.Is(err, payload.ErrMalformed), errors.Is(err, image.ErrMalformed):
		return &noEvent{http.StatusBadRequest, err.Error(), err}
	}
	return &noEvent{http.StatusInternalServerError, "the request could not be decoded", err}
}

// store stores an event within StoreTimeout.
func (h *handler) store(ctx context.Context, ev event.Event) (isNew bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	return h.receiver.receive(ctx, ev)
}
