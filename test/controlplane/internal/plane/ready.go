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

package plane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"
)

// waitTimeout is the maximum time until a process is ready. It allows for a busy machine.
const waitTimeout = 2 * time.Minute

// await waits until proc is ready. It returns an error after waitTimeout, or when proc
// ends.
func (p *Plane) await(ctx context.Context, proc *process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, waitTimeout, fmt.Errorf("%s is not ready after %s", proc.name, waitTimeout))
	defer cancel()
	client := p.client()
	defer client.CloseIdleConnections()
	for {
		if p.isReady(ctx, client, proc.ready) {
			return nil
		}
		select {
		case <-proc.exited:
			return proc.failure()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// client returns a client that trusts the certificate of the API server.
func (p *Plane) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.creds.caPEM)
	return &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	}
}

// isReady reports whether url returns 200.
func (p *Plane) isReady(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+p.creds.admin)
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}
