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

package certificate

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

const (
	// reloadInterval is how often a Serving looks for another certificate, and
	// readFirst how often while it has none.
	reloadInterval        = 30 * time.Second
	initialReloadInterval = time.Second
)

// Source holds the certificate to serve. One that cannot be read does not take
// the place of one that could.
type Source struct {
	load    func(context.Context) (tls.Certificate, error)
	clock   clock.Clock
	current atomic.Pointer[tls.Certificate]
}

// NewSource returns a Serving of what read returns.
func NewSource(c clock.Clock, load func(context.Context) (tls.Certificate, error)) *Source {
	return &Source{load: load, clock: c}
}

// Files returns what reads the certificate tls.crt and its key tls.key of a
// folder.
func Files(dir string) func(context.Context) (tls.Certificate, error) {
	return func(context.Context) (tls.Certificate, error) {
		return tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	}
}

// Start looks for other certificates until ctx ends.
func (s *Source) Start(ctx context.Context) error {
	log := logr.FromContextOrDiscard(ctx)
	said := ""
	for {
		c, err := s.load(ctx)
		before := s.current.Load()
		switch {
		case err == nil && (before == nil || !slices.EqualFunc(before.Certificate, c.Certificate, slices.Equal)):
			s.current.Store(&c)
			log.Info("serving a webhook certificate", "expires", c.Leaf.NotAfter)
			said = ""
		case err != nil && ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			log.Info("webhook certificate not read; trying again", "reason", said)
		}
		wait := reloadInterval
		if s.current.Load() == nil {
			wait = initialReloadInterval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.clock.After(wait):
		}
	}
}

// Certificate is for tls.Config.GetCertificate.
func (s *Source) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := s.current.Load(); c != nil {
		return c, nil
	}
	return nil, errors.New("no certificate yet")
}

// Ready is a check of readiness: there is a certificate.
func (s *Source) Ready(*http.Request) error {
	_, err := s.Certificate(nil)
	return err
}

// NeedLeaderElection says that it runs also in processes that stand by.
func (*Source) NeedLeaderElection() bool { return false }
