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
	// MaxBody is the maximum size of a response body, in bytes.
	MaxBody = 1 << 20
	// DefaultTimeout is the default timeout of a request. Callers apply it.
	DefaultTimeout = 10 * time.Second

	maxHeader    = 64 << 10
	maxRedirects = 5
	idleTimeout  = 30 * time.Second
)

// Client sends HTTP requests to addresses that its policy allows. It is safe for
// concurrent use.
type Client struct {
	policy AddressPolicy
	shared *http.Transport
	// answer answers requests in place of the network; nil for a client that sends them.
	answer func(*http.Request) (*Response, error)
}

// NewClient returns a client with the given policy. Idle connections are closed after
// 30 s.
func NewClient(p AddressPolicy) *Client { return &Client{policy: p, shared: newTransport(p, nil)} }

// NewOffline returns a client that sends nothing: answer answers its requests.
func NewOffline(answer func(*http.Request) (*Response, error)) *Client {
	return &Client{shared: newTransport(AddressPolicy{}, nil), answer: answer}
}

// IsOffline reports whether the client sends nothing.
func (c *Client) IsOffline() bool { return c.answer != nil }

// Policy returns the policy of the client.
func (c *Client) Policy() AddressPolicy { return c.policy }

// Response is an HTTP response with its body.
type Response struct {
	Status          int
	Header, Trailer http.Header
	Body            []byte
}

// SameHostOnly is set for requests that carry secrets: they are not redirected to
// another host or scheme.
type SameHostOnly bool

// Do sends req and reads the response. It uses config for TLS unless it is nil, and
// follows up to 5 redirects, but none that would turn another method into GET without the
// body, except after 303, which says that the request was taken; it returns that response.
// The caller sets the deadline with the context of req. It returns a TooLargeError for a
// body of more than MaxBody bytes, a RedirectError for a redirect that it must not follow,
// and a DeniedAddressError for an address that the policy denies. Errors do not contain the
// URL, which may be a secret.
func (c *Client) Do(req *http.Request, config *tls.Config, sameHost SameHostOnly) (*Response, error) {
	if scheme := req.URL.Scheme; scheme != "http" && scheme != "https" || req.URL.Host == "" {
		return nil, errors.New("invalid URL: must begin with http:// or https:// and a host")
	}
	if c.answer != nil {
		return c.answer(req)
	}
	rt := c.shared
	if config != nil {
		rt = newTransport(c.policy, config)
		defer rt.CloseIdleConnections()
	}
	client := http.Client{Transport: rt, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return &RedirectError{fmt.Sprintf("more than %d redirects", maxRedirects)}
		case next.Method != via[len(via)-1].Method && next.Response.StatusCode != http.StatusSeeOther:
			return http.ErrUseLastResponse
		case req.URL.Scheme == "https" && next.URL.Scheme != "https":
			return &RedirectError{"redirect from https to " + next.URL.Scheme}
		case bool(sameHost) && (next.URL.Host != req.URL.Host || next.URL.Scheme != req.URL.Scheme):
			return &RedirectError{"redirect to another host of a request that carries a secret"}
		}
		next.Header.Del("Referer") // contains the URL
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read response: %w", err)
	}
	if len(body) > MaxBody {
		return nil, &TooLargeError{}
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Trailer: resp.Trailer, Body: body}, nil
}

// RedirectError is returned for a redirect that must not be followed.
type RedirectError struct{ Message string }

func (e *RedirectError) Error() string { return e.Message }

// TooLargeError is returned for a response body of more than MaxBody bytes.
type TooLargeError struct{}

func (*TooLargeError) Error() string {
	return fmt.Sprintf("response exceeds %d KiB", MaxBody>>10)
}

func newTransport(p AddressPolicy, config *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:            p.Dial,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Close closes idle connections.
func (c *Client) Close() { c.shared.CloseIdleConnections() }
