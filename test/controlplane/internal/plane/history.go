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
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
)

// Compact compacts etcd to the latest revision. The watch cache of the API server keeps
// older ones.
func (p *Plane) Compact(ctx context.Context) error {
	var status struct {
		Header struct{ Revision string }
	}
	if err := p.call(ctx, "/v3/maintenance/status", map[string]any{}, &status); err != nil {
		return err
	}
	err := p.call(ctx, "/v3/kv/compaction", map[string]any{"revision": status.Header.Revision, "physical": true}, &struct{}{})
	if err != nil && strings.Contains(err.Error(), "has been compacted") {
		return nil // no change since the last compaction
	}
	return err
}

// call posts in to the JSON gateway of etcd, and decodes the response to out.
func (p *Plane) call(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.etcd+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	client := p.client()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("etcd %s: %w", path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(resp.Body)
		return errors.Join(fmt.Errorf("etcd %s: %s: %s", path, resp.Status, text), err)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// Snapshot copies the data of etcd, and restarts etcd. It kills etcd, because a graceful
// shutdown waits for watchers.
func (p *Plane) Snapshot(ctx context.Context, name string) error {
	etcd, err := p.process(Etcd)
	if err != nil {
		return err
	}
	etcd.kill()
	if err := replace(p.snapshot(name), p.dataDir()); err != nil {
		return fmt.Errorf("snapshot %q: %w", name, err)
	}
	return p.Start(ctx, Etcd)
}

// Restore replaces the data of etcd, including resourceVersions, by a snapshot. It restarts
// all processes.
func (p *Plane) Restore(ctx context.Context, name string) error {
	for i := len(p.processes) - 1; i >= 0; i-- {
		p.processes[i].kill()
	}
	if err := replace(p.dataDir(), p.snapshot(name)); err != nil {
		return fmt.Errorf("restore %q: %w", name, err)
	}
	for _, proc := range p.processes {
		if err := p.Start(ctx, proc.name); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) snapshot(name string) string {
	return filepath.Join(p.opts.Dir, "snapshots", filepath.Base(name))
}
