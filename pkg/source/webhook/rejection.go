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
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"k8s.io/utils/lru"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Rejection is a request that was rejected.
type Rejection struct {
	// Trigger is the trigger of the webhook. It is empty if no webhook has the path.
	Trigger event.TriggerRef
	// Status is the status of the response.
	Status int
	// Reason is the reason in CamelCase, one for each Status.
	Reason string
	// Message describes for people what is wrong with the request, in 512 bytes at most. It
	// holds no secret.
	Message string
	Time    time.Time
}

// rejectionReason returns the Reason of a Rejection with this status.
func rejectionReason(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "Malformed"
	case http.StatusUnauthorized:
		return "Unauthorized"
	case http.StatusNotFound:
		return "NotFound"
	case http.StatusMethodNotAllowed:
		return "MethodNotAllowed"
	case http.StatusRequestTimeout:
		return "Incomplete"
	case http.StatusRequestEntityTooLarge:
		return "TooLarge"
	case http.StatusUnsupportedMediaType:
		return "UnsupportedMediaType"
	case http.StatusTooManyRequests:
		return "RateLimited"
	case http.StatusServiceUnavailable:
		return "Unavailable"
	}
	return "InternalError"
}

const (
	// logInterval is the time between two log lines about the same kind of rejection.
	logInterval = time.Minute
	// maxLogged limits the kinds of rejections that are remembered; the one that is
	// oldest is forgotten.
	maxLogged = 4096
	// MaxLogLines is the number of lines about rejections that a Server logs at once at the
	// default level.
	MaxLogLines = 100
	// logLinesPerSecond is how many more follow per second.
	logLinesPerSecond = 1
	// maxRejectionMessage limits Rejection.Message, in bytes: senders choose parts of it.
	maxRejectionMessage = 512
)

// rejectionLog logs rejections: each kind of them once per logInterval at the default
// level, up to a limit for all senders together, and all of them at the debug level. It is safe
// for concurrent use.
type rejectionLog struct {
	lines *rate.Limiter

	mu sync.Mutex
	// logged has the times of the last log lines.
	logged *lru.Cache // rejectionKind → time.Time
}

// rejectionKind are rejections by one webhook of one sender with one status.
type rejectionKind struct {
	trigger event.TriggerRef
	from    netip.Prefix
	status  int
}

func newRejectionLog() *rejectionLog {
	return &rejectionLog{lines: rate.NewLimiter(logLinesPerSecond, MaxLogLines), logged: lru.New(maxLogged)}
}

// add logs a rejection. cause is set if the rejection is an error of this process.
func (l *rejectionLog) add(log logr.Logger, r *http.Request, rejected Rejection, cause error) {
	isNew := l.isNew(rejectionKind{rejected.Trigger, sender(r), rejected.Status}, rejected.Time)
	switch {
	case isNew && cause != nil:
		log.Error(cause, "Webhook cannot accept requests", "from", r.RemoteAddr)
		return
	case !isNew:
		log = log.V(1)
	}
	log.Info("Request rejected", "status", rejected.Status, "reason", rejected.Message, "from", r.RemoteAddr)
}

// isNew reports whether no rejection of this kind was logged in the last logInterval, and there
// are not too many of other kinds.
func (l *rejectionLog) isNew(kind rejectionKind, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, found := l.logged.Get(kind)
	if t, ok := last.(time.Time); found && ok && now.Sub(t) < logInterval || !l.lines.AllowN(now, 1) {
		return false
	}
	l.logged.Add(kind, now)
	return true
}
