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

// timeout limits one request.
const timeout = time.Minute

// Client accesses the dead letters of a store that another process serves.
type Client struct {
	http *http.Client
}

var _ store.DeadLetterAdmin = (*Client)(nil)

// Dial returns a client of the process that listens at path. It returns an error if
// no process listens.
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

// Close closes idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Debug sends a GET request for a path below /debug/, with its query. The caller closes the
// body.
func (c *Client) Debug(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://store"+path, nil)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

// do sends a request and decodes the response into result.
func (c *Client) do(ctx context.Context, method, path string, result any) (err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://store/dead-letters"+path, nil)
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
		return decoder.Decode(result)
	}
	var failed errorJSON
	if err := decoder.Decode(&failed); err != nil {
		return fmt.Errorf("response with status %s: %w", response.Status, err)
	}
	if response.StatusCode == http.StatusNotFound {
		return notFoundError(failed.Error)
	}
	return errors.New(failed.Error)
}

// notFoundError is a store.ErrNotFound whose text comes from the server.
type notFoundError string

func (e notFoundError) Error() string { return string(e) }

func (e notFoundError) Is(target error) bool { return target == store.ErrNotFound }

func (j deadLetterJSON) decode() (store.DeadLetter, error) {
	l, err := codec.DecodeDeadLetter(j.Head)
	if err == nil && j.Event != nil {
		l.Event, err = codec.DecodeEvent(j.Event)
	}
	return l, err
}

// List implements store.DeadLetterAdmin.
func (c *Client) List(ctx context.Context) (store.DeadLetterList, error) {
	var response listJSON
	if err := c.do(ctx, http.MethodGet, "", &response); err != nil {
		return store.DeadLetterList{}, err
	}
	list := store.DeadLetterList{Dropped: response.Dropped}
	for _, encoded := range response.DeadLetters {
		l, err := encoded.decode()
		if err != nil {
			return store.DeadLetterList{}, err
		}
		list.Items = append(list.Items, l)
	}
	return list, nil
}

// Get implements store.DeadLetterAdmin.
func (c *Client) Get(ctx context.Context, id string) (store.DeadLetter, error) {
	var response deadLetterJSON
	if err := c.do(ctx, http.MethodGet, "/"+url.PathEscape(id), &response); err != nil {
		return store.DeadLetter{}, err
	}
	return response.decode()
}

// RequestReplay implements store.DeadLetterAdmin.
func (c *Client) RequestReplay(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, "/"+url.PathEscape(id)+"/replay", &struct{}{})
}

// Delete implements store.DeadLetterAdmin.
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/"+url.PathEscape(id), &struct{}{})
}
