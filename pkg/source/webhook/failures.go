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
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

// failures limits requests that fail authentication, by the address of their sender,
// so that they neither use up the trigger's rate limit nor keep the server busy. It
// does not reject a request that passes: senders share an address behind a proxy. It
// is safe for concurrent use.
type failures struct {
	clock   clock.PassiveClock
	byAddr  *lru.Cache // netip.Prefix → *rate.Limiter
	suspect *semaphore.Weighted
}

func newFailures(c clock.PassiveClock) *failures {
	return &failures{clock: c, byAddr: lru.New(maxFailureAddresses), suspect: semaphore.NewWeighted(maxSuspects)}
}

const (
	// maxFailureAddresses limits the addresses that are remembered; the one whose last
	// failure is oldest is forgotten.
	maxFailureAddresses = 4096
	// maxSuspects limits the concurrent requests from addresses that have exceeded
	// MaxFailures; further ones wait up to suspectWait.
	maxSuspects = 4
	suspectWait = 2 * time.Second
)

// begin waits for a turn if the sender of r has failed too often. The caller calls
// done after authentication. It returns false if there is no turn in time.
func (f *failures) begin(r *http.Request) (done func(), ok bool) {
	l, found := f.byAddr.Get(sender(r))
	if limiter, _ := l.(*rate.Limiter); !found || limiter.TokensAt(f.clock.Now()) >= 1 {
		return func() {}, true
	}
	ctx, cancel := context.WithTimeout(r.Context(), suspectWait)
	defer cancel()
	if f.suspect.Acquire(ctx, 1) != nil {
		return nil, false
	}
	return func() { f.suspect.Release(1) }, true
}

// add counts a failure of the sender of r. It returns false if there are too many.
func (f *failures) add(r *http.Request) bool {
	key := sender(r)
	l, found := f.byAddr.Get(key)
	if !found {
		l = rate.NewLimiter(FailuresPerSecond, MaxFailures)
		f.byAddr.Add(key, l)
	}
	limiter, _ := l.(*rate.Limiter)
	return limiter.AllowN(f.clock.Now(), 1)
}

// sender returns the network that r comes from: an IPv4 address, or an IPv6 network of
// 64 bits, which one machine can have.
func sender(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits)
	return prefix
}
