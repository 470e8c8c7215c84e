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

// Package plane runs a Kubernetes control plane as processes of this machine: etcd,
// kube-apiserver and optionally kube-controller-manager. Servers listen on free ports
// of 127.0.0.1, which stay the same after restarts, and keep all files in one folder. A Plane
// is not safe for concurrent use.
package plane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"controlplane/internal/binaries"
)

// Names of the processes.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
)

// Options configure a control plane.
type Options struct {
	Dir               string   // of all files; must exist
	Lock              *os.File // inherited by all processes, and thus released when all have ended
	Binaries          binaries.Set
	ControllerManager bool
	AdmissionConfig   string        // file of the API server's admission configuration; empty for none
	Compaction        time.Duration // interval at which the API server compacts etcd; 0 for never
}

// Plane is a control plane.
type Plane struct {
	opts      Options
	ports     []port
	creds     credentials
	server    string
	etcd      string
	processes []*process // in the order in which they are started
}

// Start starts a control plane, and waits until the API server is ready. If it returns an
// error, all processes have ended.
func Start(ctx context.Context, opts Options) (*Plane, error) {
	p := &Plane{opts: opts}
	err := p.prepare()
	for i := 0; err == nil && i < len(p.processes); i++ {
		err = p.Start(ctx, p.processes[i].name)
	}
	if err == nil {
		err = writeKubeconfig(p.Kubeconfig(), p.server, p.creds.caPEM, "admin", p.creds.admin)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Plane) prepare() error {
	for range 3 {
		reserved, err := reserve()
		if err != nil {
			return err
		}
		p.ports = append(p.ports, reserved)
	}
	secure, client, peer := p.ports[0], p.ports[1], p.ports[2]
	p.server, p.etcd = secure.url("https"), client.url("http")
	creds, err := issue(p.opts.Dir)
	if err != nil {
		return err
	}
	p.creds = creds
	p.add(Etcd, p.opts.Binaries.Etcd, p.etcd+"/readyz", etcdFlags(p.dataDir(), client, peer))
	p.add(APIServer, p.opts.Binaries.APIServer, p.server+"/readyz", apiServerFlags(p.opts, creds, secure, client))
	if !p.opts.ControllerManager {
		return nil
	}
	config := filepath.Join(p.opts.Dir, "controller-manager.kubeconfig")
	p.add(ControllerManager, p.opts.Binaries.ControllerManager, "", controllerManagerFlags(config, creds))
	return writeKubeconfig(config, p.server, creds.caPEM, "controller-manager", creds.controllerManager)
}

func (p *Plane) add(name, path, ready string, args []string) {
	log := filepath.Join(p.opts.Dir, name+".log")
	p.processes = append(p.processes, &process{name: name, path: path, args: args, log: log, lock: p.opts.Lock, ready: ready})
}

func (p *Plane) dataDir() string { return filepath.Join(p.opts.Dir, "etcd") }

// Kubeconfig returns the path of an administrator's kubeconfig. It exists once the API
// server has been ready.
func (p *Plane) Kubeconfig() string { return filepath.Join(p.opts.Dir, "kubeconfig") }

// PIDs returns the IDs of the running processes, by name.
func (p *Plane) PIDs() map[string]int {
	pids := map[string]int{}
	for _, proc := range p.processes {
		if proc.isRunning() {
			pids[proc.name] = proc.running.Pid
		}
	}
	return pids
}

// Start starts the named process, and waits until all running processes are ready: after a
// restart of etcd, the API server needs seconds to reconnect.
func (p *Plane) Start(ctx context.Context, name string) error {
	proc, err := p.process(name)
	if err != nil {
		return err
	}
	if err := proc.start(); err != nil {
		return err
	}
	for _, proc := range p.processes {
		if proc.ready == "" || !proc.isRunning() {
			continue
		}
		if err := p.await(ctx, proc); err != nil {
			return err
		}
	}
	return nil
}

// Kill kills the named process, and waits until it has ended.
func (p *Plane) Kill(name string) error {
	proc, err := p.process(name)
	if err != nil {
		return err
	}
	proc.kill()
	return nil
}

func (p *Plane) process(name string) (*process, error) {
	for _, proc := range p.processes {
		if proc.name == name {
			return proc, nil
		}
	}
	return nil, fmt.Errorf("unknown process %q", name)
}

// Wait returns nil when ctx ends, and an error when a process ends before.
func (p *Plane) Wait(ctx context.Context) error {
	ended, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(p.processes))
	for _, proc := range p.processes {
		go func() {
			select {
			case <-proc.exited:
				failed <- proc.failure()
			case <-ended.Done():
			}
		}()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// Close kills all processes, and releases the ports. The folder is kept.
func (p *Plane) Close() {
	for i := len(p.processes) - 1; i >= 0; i-- {
		p.processes[i].kill()
	}
	for _, port := range p.ports {
		port.release()
	}
}

// replace replaces the folder to by a copy of the folder from.
func replace(to, from string) error {
	return errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from)))
}
