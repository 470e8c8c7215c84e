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
	// maxDrained is how much of a body that is too large is read and thrown away.
	maxDrained = 4 << 20
	// retryAfter is when callers may try again, in seconds.
	retryAfter = "5"
)

// refusal is an answer other than yes.
type refusal struct {
	status int
	// reason is told to the caller, and cause to the log.
	reason string
	cause  error
}

// handler answers the calls of one hook.
type handler struct {
	*hook
	server *Server
	intake *intake
	log    logr.Logger
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, isNew, no := h.take(w, r)
	if no != nil {
		if no.status == http.StatusRequestEntityTooLarge {
			// Else a caller that still sends would see a broken connection instead of
			// the answer.
			_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
		}
		h.refuse(w, r, no)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if isNew {
		w.WriteHeader(http.StatusAccepted)
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"event": id}) // or the caller is gone
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, no *refusal) {
	switch no.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", h.guard.challenge)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	if no.status == http.StatusServiceUnavailable && no.cause != nil {
		h.log.Error(no.cause, "Webhook cannot take calls")
	} else {
		h.log.V(1).Info("call refused", "status", no.status, "reason", no.reason, "cause", no.cause, "from", r.RemoteAddr)
	}
	http.Error(w, no.reason, no.status)
}

// take returns the ID of the event that the call became, and whether it is new.
func (h *handler) take(w http.ResponseWriter, r *http.Request) (id string, isNew bool, no *refusal) {
	switch {
	case r.Method != http.MethodPost:
		return "", false, &refusal{http.StatusMethodNotAllowed, "webhooks are called with POST", nil}
	case !h.limiter.AllowN(h.intake.Clock.Now(), 1):
		return "", false, &refusal{http.StatusTooManyRequests, "too many calls", nil}
	case r.ContentLength > h.maxBody:
		return "", false, tooLarge(nil)
	}
	if no := h.judge(h.guard.early != nil, func() error { return h.guard.early(r) }); no != nil {
		return "", false, no
	}
	body, release, no := h.read(w, r)
	defer release()
	if no != nil {
		return "", false, no
	}
	if no := h.judge(h.guard.late != nil, func() error { return h.guard.late(r, body) }); no != nil {
		return "", false, no
	}
	if err := h.server.decoding.Acquire(r.Context(), 1); err != nil {
		return "", false, gone(err)
	}
	defer h.server.decoding.Release(1)
	ev, err := h.event(r, body, h.intake.Clock.Now())
	if err != nil {
		return "", false, unreadable(err)
	}
	isNew, err = h.store(r.Context(), ev)
	switch {
	case err == nil:
		return ev.ID, isNew, nil
	case errors.Is(err, store.ErrRefused):
		return "", false, tooLarge(err)
	case errors.Is(err, store.ErrFull):
		return "", false, &refusal{http.StatusServiceUnavailable, "too many events wait to be handled", err}
	}
	return "", false, &refusal{http.StatusServiceUnavailable, "the event could not be stored", err}
}

// judge asks a guard.
func (h *handler) judge(asked bool, guard func() error) *refusal {
	if !asked {
		return nil
	}
	switch err := guard(); {
	case err == nil:
		return nil
	case errors.Is(err, errDenied):
		return &refusal{http.StatusUnauthorized, "not authorized", err}
	default:
		return &refusal{http.StatusServiceUnavailable, "it cannot be decided whether the call is authorized", err}
	}
}

// read reads the body. release is to be called when it is not needed any more.
func (h *handler) read(w http.ResponseWriter, r *http.Request) (body []byte, release func(), no *refusal) {
	release = func() {}
	limited := http.MaxBytesReader(w, r.Body, h.maxBody)
	body = make([]byte, 0, h.capacity(r, LargeBody/4))
	for {
		if len(body) == cap(body) {
			room := int64(LargeBody)
			if cap(body) >= LargeBody {
				room = h.maxBody + 1
				if err := h.large(w, r); err != nil {
					return nil, release, &refusal{http.StatusServiceUnavailable, "too many large calls at once", err}
				}
				release = func() { h.server.large.Release(1) }
			}
			body = append(make([]byte, 0, h.capacity(r, room)), body...)
		}
		n, err := limited.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, release, nil
		case isTooLarge(err):
			return nil, release, tooLarge(err)
		case err != nil:
			return nil, release, gone(err)
		}
	}
}

// capacity returns how much room to make for a body: no more than want, and than
// it takes to see its end.
func (h *handler) capacity(r *http.Request, want int64) int64 {
	most := h.maxBody
	if r.ContentLength >= 0 {
		most = r.ContentLength
	}
	return min(want, most+1)
}

// large waits until one more large body may be read, and then gives its sender
// some time.
func (h *handler) large(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), LargeWait)
	defer cancel()
	if err := h.server.large.Acquire(ctx, 1); err != nil {
		return err
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(LargeTime)); err != nil {
		h.server.large.Release(1)
		return err
	}
	return nil
}

func isTooLarge(err error) bool {
	var limit *http.MaxBytesError
	return errors.As(err, &limit)
}

func tooLarge(err error) *refusal {
	return &refusal{http.StatusRequestEntityTooLarge, "the call is too large", err}
}

// gone answers a caller that did not send what it announced.
func gone(err error) *refusal {
	return &refusal{http.StatusRequestTimeout, "the call is not complete", err}
}

func unreadable(err error) *refusal {
	switch {
	case errors.Is(err, payload.ErrUnsupported):
		return &refusal{http.StatusUnsupportedMediaType, err.Error(), err}
	case errors.Is(err, payload.ErrTooLarge):
		return tooLarge(err)
	case errors.Is(err, payload.ErrMalformed), errors.Is(err, image.ErrMalformed):
		return &refusal{http.StatusBadRequest, err.Error(), err}
	}
	return &refusal{http.StatusInternalServerError, "the call cannot be read", err}
}

// store stores the event of a call.
func (h *handler) store(ctx context.Context, ev event.Event) (isNew bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	return h.intake.take(ctx, ev)
}
