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

package admission

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/admission/certificate"
	"github.com/kubevela/kube-trigger/pkg/httpserver"
)

const (
	// headerTimeout, readTimeout and idleTimeout are the timeouts of a connection.
	headerTimeout, readTimeout, idleTimeout = 5 * time.Second, 15 * time.Second, 90 * time.Second
	// maxHeader is the maximum size of the headers, in bytes.
	maxHeader = 64 << 10
	// maxConnections is the maximum number of connections. An API server needs one.
	maxConnections = 128
	// gracePeriod is how long running calls may take after the server is stopped.
	gracePeriod = 5 * time.Second
)

// Server serves a webhook with TLS.
type Server struct {
	Address string
	Handler http.Handler
	// Certificate is used as tls.Config.GetCertificate.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientCA is a file with the authorities of client certificates, in PEM. Connections
	// without a certificate of one of them are refused. It may be replaced. If it is empty,
	// no client certificate is asked for.
	ClientCA string
}

// NeedLeaderElection returns false: the server also runs in replicas that are not
// the leader.
func (Server) NeedLeaderElection() bool { return false }

// Start serves until ctx ends.
func (s Server) Start(ctx context.Context) error {
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.Certificate}
	if s.ClientCA != "" {
		var err error
		if config, err = certificate.RequireClient(config, s.ClientCA); err != nil {
			return fmt.Errorf("serve webhook: %w", err)
		}
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("serve webhook: %w", err)
	}
	log := logr.FromContextOrDiscard(ctx)
	log.Info("webhook listening", "address", listener.Addr().String())
	err = httpserver.Serve(ctx, listener, httpserver.Options{
		Name: "admission", Handler: s.Handler,
		TLS:           config,
		HeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: readTimeout + maxTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, MaxConnections: maxConnections, ReplaceConnections: true, GracePeriod: gracePeriod,
	})
	if err != nil {
		return fmt.Errorf("serve webhook: %w", err)
	}
	return nil
}
