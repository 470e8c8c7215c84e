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

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"controlplane/internal/plane"
)

// Request is one line of JSON on the stdin of `controlplane serve`. The response is one
// State. The control plane ends with stdin.
type Request struct {
	Do      string // start, kill, compact, snapshot, restore
	Process string // start, kill
	Name    string // snapshot, restore
}

// State is one line of JSON on the stdout of `controlplane serve`. The first one is
// written when the control plane is ready or has failed.
type State struct {
	Kubeconfig string         `json:"kubeconfig,omitempty"`
	Dir        string         `json:"dir,omitempty"`
	PIDs       map[string]int `json:"pids,omitempty"`
	Error      string         `json:"error,omitempty"`
}

// serve runs a control plane until ctx or in ends. It handles the requests of in one after
// the other, and writes a State after each.
func serve(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	manager := flags.Bool("controller-manager", false, "run kube-controller-manager too")
	admission := flags.String("admission-config", "", "file of the API server's admission configuration")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	requests := make(chan Request)
	go func() { cancel(readRequests(ctx, in, requests)) }()

	dir, err := newScratch(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.remove()) }()
	states := json.NewEncoder(out)
	p, err := launch(ctx, plane.Options{Dir: dir.path, Lock: dir.lock.File(), ControllerManager: *manager, AdmissionConfig: *admission})
	if err != nil {
		return errors.Join(err, states.Encode(State{Error: err.Error()}))
	}
	defer p.Close()
	for err := error(nil); ; {
		if states.Encode(state(p, dir.path, err)) != nil {
			return nil // the reader has closed stdout
		}
		select {
		case <-ctx.Done():
			return nil
		case r := <-requests:
			err = handle(ctx, p, r)
		}
	}
}

// launch starts a control plane. It builds the programs unless they are cached.
func launch(ctx context.Context, opts plane.Options) (*plane.Plane, error) {
	set, err := ensure(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	opts.Binaries = set
	return plane.Start(ctx, opts)
}

var errClosed = errors.New("stdin was closed")

// readRequests decodes requests until in or ctx ends.
func readRequests(ctx context.Context, in io.Reader, requests chan<- Request) error {
	for s := bufio.NewScanner(in); s.Scan(); {
		var r Request
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			return fmt.Errorf("request %q: %w", s.Text(), err)
		}
		select {
		case requests <- r:
		case <-ctx.Done():
			return nil
		}
	}
	return errClosed
}

func handle(ctx context.Context, p *plane.Plane, r Request) error {
	switch r.Do {
	case "start":
		return p.Start(ctx, r.Process)
	case "kill":
		return p.Kill(r.Process)
	case "compact":
		return p.Compact(ctx)
	case "snapshot":
		return p.Snapshot(ctx, r.Name)
	case "restore":
		return p.Restore(ctx, r.Name)
	default:
		return fmt.Errorf("unknown request %q", r.Do)
	}
}

func state(p *plane.Plane, dir string, err error) State {
	s := State{Kubeconfig: p.Kubeconfig(), Dir: dir, PIDs: p.PIDs()}
	if err != nil {
		s.Error = err.Error()
	}
	return s
}
