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
	"sync"
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

// answer is the response to a request. From status 400 on, it rejects the request.
type answer struct {
	status int
	// message is the response's body, unless json is set; cause is only logged.
	message string
	json    any
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
	a := h.answer(w, r)
	switch {
	case a.status >= http.StatusBadRequest:
		h.reject(w, r, a)
	case a.json != nil:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		_ = json.NewEncoder(w).Encode(a.json) // fails if the client has gone
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.message) // fails if the client has gone
	}
}

// answer handles a request. It sets those headers of the response that are not the same
// for all answers with its status.
func (h *handler) answer(w http.ResponseWriter, r *http.Request) *answer {
	switch r.Method {
	case http.MethodPost, http.MethodPut: // Grafana may be told to use PUT
		return h.receive(w, r)
	case http.MethodGet, http.MethodHead: // senders verify that the URL exists
		return &answer{status: http.StatusOK, message: "this webhook takes POST and PUT\n"}
	case http.MethodOptions:
		return h.options(w, r)
	}
	return &answer{status: http.StatusMethodNotAllowed, message: "method not allowed: use POST or PUT"}
}

func (h *handler) reject(w http.ResponseWriter, r *http.Request, a *answer) {
	switch a.status {
	case http.StatusRequestEntityTooLarge:
		// A client that is still sending would otherwise get a broken connection
		// instead of the response.
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", h.auth.challenge)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", allowedMethods)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	rejected := Rejection{Trigger: h.trigger, Status: a.status, Message: a.message, Time: h.receiver.Clock.Now()}
	if a.cause != nil {
		rejected.Message = a.cause.Error()
	}
	var cause error
	if a.status >= http.StatusInternalServerError {
		cause = a.cause
	}
	h.server.reject(h.log, r, rejected, cause)
	http.Error(w, a.message, a.status)
}

// receive authenticates and decodes a request, and stores its events or answers a
// handshake.
func (h *handler) receive(w http.ResponseWriter, r *http.Request) *answer {
	switch {
	case r.ContentLength > h.maxBody:
		return tooLarge(nil)
	case h.auth.pingType != "" && r.Header.Get(h.auth.typeHeader) == h.auth.pingType:
		return &answer{status: http.StatusOK, message: "pong\n"}
	}
	body, release, failed := h.authenticated(w, r)
	defer release()
	if failed != nil {
		return failed
	}
	if err := h.server.decoders.Acquire(r.Context(), 1); err != nil {
		return incomplete(err)
	}
	releaseDecoder := sync.OnceFunc(func() { h.server.decoders.Release(1) })
	defer releaseDecoder()
	sent, err := h.decode(r, body)
	if err != nil {
		return undecodable(err)
	}
	if a := h.handshake(r, sent, releaseDecoder); a != nil {
		return a
	}
	events, err := h.events(r, body, sent, h.receiver.Clock.Now())
	if err != nil {
		return undecodable(err)
	}
	a := h.store(r.Context(), events)
	if a.status < http.StatusBadRequest && r.Header.Get(slackHeader) != "" {
		return &answer{status: http.StatusOK}
	}
	return a
}

// store stores the events of a request, each within StoreTimeout. If one cannot be stored,
// the sender is to repeat the request; those that are stored then count as repeated.
func (h *handler) store(ctx context.Context, events []event.Event) *answer {
	ids := make([]string, len(events))
	status := http.StatusOK
	for i, ev := range events {
		isNew, err := h.storeEvent(ctx, ev)
		switch {
		case errors.Is(err, store.ErrRejected):
			return tooLarge(err)
		case errors.Is(err, store.ErrFull):
			return &answer{status: http.StatusServiceUnavailable, message: "the event queue is full", cause: err}
		case err != nil:
			return &answer{status: http.StatusServiceUnavailable, message: "the event could not be stored", cause: err}
		}
		if isNew {
			status = h.acceptedStatus
		}
		ids[i] = ev.ID
	}
	if len(ids) == 1 {
		return &answer{status: status, json: map[string]string{"event": ids[0]}}
	}
	return &answer{status: status, json: map[string][]string{"events": ids}}
}

func (h *handler) storeEvent(ctx context.Context, ev event.Event) (isNew bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	return h.receiver.receive(ctx, ev)
}

// authenticated returns the body of a request that passes authentication and is within
// the rate limit, which only such requests use up. The body is read as late as
// possible. The caller calls release, which is never nil, when it no longer needs the
// body.
func (h *handler) authenticated(w http.ResponseWriter, r *http.Request) (body []byte, release func(), failed *answer) {
	release = func() {}
	end, ok := h.failures.begin(r)
	if !ok {
		return nil, release, tooManyRequests()
	}
	defer end()
	if failed := h.authenticate(r, h.auth.checkHeaders != nil, func() error { return h.auth.checkHeaders(r) }); failed != nil {
		return nil, release, failed
	}
	signed := h.auth.checkBody != nil
	if !signed && !h.allow() {
		return nil, release, tooManyRequests()
	}
	if body, release, failed = h.readBody(w, r); failed != nil {
		return nil, release, failed
	}
	if failed := h.authenticate(r, signed, func() error { return h.auth.checkBody(r, body) }); failed != nil {
		return nil, release, failed
	}
	if signed && !h.allow() {
		return nil, release, tooManyRequests()
	}
	return body, release, nil
}

// allow counts a request against the trigger's rate limit.
func (h *handler) allow() bool { return h.limiter.AllowN(h.receiver.Clock.Now(), 1) }

func tooManyRequests() *answer {
	return &answer{status: http.StatusTooManyRequests, message: "rate limit exceeded"}
}

// authenticate runs check if required, and returns the response to a request that
// fails it: 401 or 429 for errUnauthorized, 503 for other errors.
func (h *handler) authenticate(r *http.Request, required bool, check func() error) *answer {
	if !required {
		return nil
	}
	switch err := check(); {
	case err == nil:
		return nil
	case errors.Is(err, errUnauthorized) && !h.failures.add(r):
		return &answer{status: http.StatusTooManyRequests, message: "too many requests that are not authorized", cause: err}
	case errors.Is(err, errUnauthorized):
		return &answer{status: http.StatusUnauthorized, message: "not authorized", cause: err}
	default:
		return &answer{status: http.StatusServiceUnavailable, message: "the request could not be authenticated", cause: err}
	}
}

// readBody reads the body. The caller calls release, which is never nil, when it no
// longer needs the body.
func (h *handler) readBody(w http.ResponseWriter, r *http.Request) (body []byte, release func(), failed *answer) {
	release = func() {}
	limited := http.MaxBytesReader(w, r.Body, h.maxBody)
	body = make([]byte, 0, h.capacity(r, LargeBodyBytes/4))
	for {
		if len(body) == cap(body) {
			size := int64(LargeBodyBytes)
			if cap(body) >= LargeBodyBytes {
				size = h.maxBody + 1
				if err := h.acquireLargeBody(w, r); err != nil {
					return nil, release, &answer{status: http.StatusServiceUnavailable, message: "too many concurrent large requests", cause: err}
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

func tooLarge(err error) *answer {
	return &answer{status: http.StatusRequestEntityTooLarge, message: "request too large", cause: err}
}

// incomplete is the response to a request that was not sent to its end.
func incomplete(err error) *answer {
	return &answer{status: http.StatusRequestTimeout, message: "incomplete request", cause: err}
}

func undecodable(err error) *answer {
	switch {
	case errors.Is(err, payload.ErrUnsupported):
		return &answer{status: http.StatusUnsupportedMediaType, message: err.Error(), cause: err}
	case errors.Is(err, payload.ErrTooLarge):
		return &answer{status: http.StatusRequestEntityTooLarge, message: err.Error(), cause: err}
	case errors.Is(err, payload.ErrMalformed), errors.Is(err, image.ErrMalformed):
		return &answer{status: http.StatusBadRequest, message: err.Error(), cause: err}
	}
	return &answer{status: http.StatusInternalServerError, message: "the request could not be decoded", cause: err}
}
