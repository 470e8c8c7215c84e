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

package egress

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// MaxBody is how much of an answer is read, in bytes. A longer one is an error.
	MaxBody = 1 << 20
	// DefaultTimeout bounds requests whose context sets no earlier end.
	DefaultTimeout = 10 * time.Second

	maxHeader    = 64 << 10
	maxRedirects = 5
	idleTimeout  = 30 * time.Second
)

// Client sends requests through a Guard. It is safe for concurrent use.
type Client struct {
	policy AddressPolicy
	shared *http.Transport
}

// NewClient returns a client. Its connections are closed some time after they
// were last used.
func NewClient(g AddressPolicy) *Client { return &Client{policy: g, shared: newTransport(g, nil)} }

// Policy returns what the client connects through.
func (c *Client) Policy() AddressPolicy { return c.policy }

// Response is what was answered to a request.
type Response struct {
	Status          int
	Header, Trailer http.Header
	Body            []byte
}

// SameHostOnly marks what a request carries as meant for its host alone.
type SameHostOnly bool

// Do sends req, with config for TLS where it is not nil, and reads the answer. It
// follows redirects, but not to another host where the request is confined.
// Errors do not name the request's URL, which may be a secret.
func (c *Client) Do(req *http.Request, config *tls.Config, confined SameHostOnly) (*Response, error) {
	if scheme := req.URL.Scheme; scheme != "http" && scheme != "https" || req.URL.Host == "" {
		return nil, errors.New("the URL must begin with http:// or https:// and a host")
	}
	rt := c.shared
	if config != nil {
		rt = newTransport(c.policy, config)
		defer rt.CloseIdleConnections()
	}
	client := http.Client{Transport: rt, CheckRedirect: func(next *http.Request, before []*http.Request) error {
		switch {
		case len(before) > maxRedirects:
			return fmt.Errorf("more than %d redirects", maxRedirects)
		case req.URL.Scheme == "https" && next.URL.Scheme != "https":
			return errors.New("a redirect from https to " + next.URL.Scheme)
		case bool(confined) && (next.URL.Host != req.URL.Host || next.URL.Scheme != req.URL.Scheme):
			return errors.New("a redirect to another host, of a request that carries a secret")
		}
		next.Header.Del("Referer") // it would tell the URL
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		var in *url.Error
		if errors.As(err, &in) {
			err = in.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > MaxBody {
		return nil, &TooLargeError{}
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Trailer: resp.Trailer, Body: body}, nil
}

// TooLargeError is an answer of more than MaxBody bytes.
type TooLargeError struct{}

func (*TooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d KiB", MaxBody>>10)
}

func newTransport(g AddressPolicy, config *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:            g.Dial,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Close closes connections that are not in use.
func (c *Client) Close() { c.shared.CloseIdleConnections() }
