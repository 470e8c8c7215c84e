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

package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// timeout is how long an answer may take.
const timeout = time.Minute

// Client asks the process that serves a store.
type Client struct {
	http *http.Client
}

var _ store.DeadLetterAdmin = (*Client)(nil)

// Dial returns a client of the process that listens at path, or an error if none
// does.
func Dial(ctx context.Context, path string) (*Client, error) {
	dial := func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	probe, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	return &Client{&http.Client{Timeout: timeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}}, probe.Close()
}

// Close gives up the connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// do sends a request and decodes the answer.
func (c *Client) do(ctx context.Context, method, path string, answer any) (err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://store/letters"+path, nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	decoder := json.NewDecoder(response.Body)
	if response.StatusCode == http.StatusOK {
		return decoder.Decode(answer)
	}
	var failed errorJSON
	if err := decoder.Decode(&failed); err != nil {
		return fmt.Errorf("answer with status %s: %w", response.Status, err)
	}
	if response.StatusCode == http.StatusNotFound {
		return notFoundError(failed.Error)
	}
	return errors.New(failed.Error)
}

// notFoundError is an error whose text says already what store.ErrNotFound says.
type notFoundError string

func (e notFoundError) Error() string { return string(e) }

func (e notFoundError) Is(target error) bool { return target == store.ErrNotFound }

func (s deadLetterJSON) decode() (store.DeadLetter, error) {
	l, err := codec.DecodeDeadLetter(s.Head)
	if err == nil && s.Event != nil {
		l.Event, err = codec.DecodeEvent(s.Event)
	}
	return l, err
}

// ListDeadLetters implements store.Failures.
func (c *Client) ListDeadLetters(ctx context.Context) (store.DeadLetterList, error) {
	var answer listJSON
	if err := c.do(ctx, http.MethodGet, "", &answer); err != nil {
		return store.DeadLetterList{}, err
	}
	b := store.DeadLetterList{Dropped: answer.Dropped}
	for _, sent := range answer.DeadLetters {
		l, err := sent.decode()
		if err != nil {
			return store.DeadLetterList{}, err
		}
		b.Items = append(b.Items, l)
	}
	return b, nil
}

// GetDeadLetter implements store.Failures.
func (c *Client) GetDeadLetter(ctx context.Context, id string) (store.DeadLetter, error) {
	var answer deadLetterJSON
	if err := c.do(ctx, http.MethodGet, "/"+url.PathEscape(id), &answer); err != nil {
		return store.DeadLetter{}, err
	}
	return answer.decode()
}

// RequestReplay implements store.Failures.
func (c *Client) RequestReplay(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, "/"+url.PathEscape(id)+"/replay", &struct{}{})
}

// DeleteDeadLetter implements store.Failures.
func (c *Client) DeleteDeadLetter(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/"+url.PathEscape(id), &struct{}{})
}
