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

	"github.com/kubevela/kube-trigger/pkg/sleep"
)

const (
	// reloadInterval is the time between two loads of the certificate, and
	// initialReloadInterval the time until the first one has succeeded.
	reloadInterval        = 30 * time.Second
	initialReloadInterval = time.Second
)

// Source holds the certificate to serve, and reloads it. If loading fails, it keeps
// the previous certificate. It is safe for concurrent use. The certwatcher of
// controller-runtime reads only files, which must exist when it is created.
type Source struct {
	load    func(context.Context) (tls.Certificate, error)
	clock   clock.Clock
	current atomic.Pointer[tls.Certificate]
}

// NewSource returns a Source of the certificate that load returns, such as Files or
// FromSecret.
func NewSource(c clock.Clock, load func(context.Context) (tls.Certificate, error)) *Source {
	return &Source{load: load, clock: c}
}

// Files returns a load function for NewSource that reads the files tls.crt and tls.key
// in dir.
func Files(dir string) func(context.Context) (tls.Certificate, error) {
	return func(context.Context) (tls.Certificate, error) {
		return tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	}
}

// Start reloads the certificate until ctx ends. Errors are logged and retried.
func (s *Source) Start(ctx context.Context) error {
	log := logr.FromContextOrDiscard(ctx)
	lastError := ""
	for {
		c, err := s.load(ctx)
		before := s.current.Load()
		switch {
		case err == nil && (before == nil || !slices.EqualFunc(before.Certificate, c.Certificate, slices.Equal)):
			s.current.Store(&c)
			log.Info("serving webhook certificate", "expires", c.Leaf.NotAfter)
			lastError = ""
		case err != nil && ctx.Err() == nil && err.Error() != lastError:
			lastError = err.Error()
			log.Info("webhook certificate not loaded; retrying", "reason", lastError)
		}
		wait := reloadInterval
		if s.current.Load() == nil {
			wait = initialReloadInterval
		}
		if !sleep.For(ctx, s.clock, wait) {
			return nil
		}
	}
}

// Certificate implements tls.Config.GetCertificate. It fails until a certificate has
// been loaded.
func (s *Source) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := s.current.Load(); c != nil {
		return c, nil
	}
	return nil, errors.New("no certificate yet")
}

// Ready implements healthz.Checker: it returns an error until a certificate has been
// loaded.
func (s *Source) Ready(*http.Request) error {
	_, err := s.Certificate(nil)
	return err
}

// NeedLeaderElection returns false: a Source also runs in replicas that are not the
// leader.
func (*Source) NeedLeaderElection() bool { return false }
