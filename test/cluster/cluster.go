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

// Package cluster gives tests a real Kubernetes API server.
//
// The server and its etcd are processes of this machine, started by
// test/controlplane on free ports of 127.0.0.1. They end when the test process
// does, however it ends, and leave nothing behind.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is a running control plane. It is safe for concurrent use, except
// that tests which share one should not take its API server from each other:
// those that stop or rewind something ask for their own.
type Cluster struct {
	// Config has all rights and no client-side rate limit. Copy it to change it.
	Config *rest.Config
	// Kubeconfig is the path of a kubeconfig with all rights.
	Kubeconfig string

	supervisor *supervisor
}

// Option changes what is started.
type Option func(*options)

type options struct {
	own               bool
	controllerManager bool
	kubeVela          bool
}

// Own gives the test a cluster for itself, which ends with the test.
func Own() Option { return func(o *options) { o.own = true } }

// WithControllerManager runs kube-controller-manager too, which deletes
// namespaces, collects garbage and creates default service accounts. It takes a
// few seconds of CPU time more.
func WithControllerManager() Option { return func(o *options) { o.controllerManager = true } }

// WithKubeVelaCRDs installs all of KubeVela's CRDs and our own.
func WithKubeVelaCRDs() Option { return func(o *options) { o.kubeVela = true } }

// Start returns a cluster that is ready, or ends the test. All tests of a
// process share one, which is started for the first that asks; one with a
// controller manager and one without are two. It has no finalizer to call: it
// ends with the process.
func Start(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	var c *Cluster
	var err error
	if o.own {
		c, err = New(t.Context(), opts...)
	} else {
		c, err = shared.get(o.controllerManager)
	}
	if err != nil {
		t.Fatalf("start cluster: %v", err)
	}
	if o.own {
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Errorf("close cluster: %v", err)
			}
		})
	} else if o.kubeVela {
		c.InstallKubeVelaCRDs(t)
	}
	return c
}

// New starts a cluster of one's own. Close ends it; so does the end of this
// process. Programs that are not tests use it directly.
func New(ctx context.Context, opts ...Option) (*Cluster, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	s, err := supervise(ctx, o)
	if err != nil {
		return nil, err
	}
	c, err := connect(s)
	if err == nil && o.kubeVela {
		err = c.installKubeVelaCRDs(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return c, nil
}

func connect(s *supervisor) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.state.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("load kubeconfig: %w", err)
	}
	config.QPS = -1
	return &Cluster{Config: config, Kubeconfig: s.state.Kubeconfig, supervisor: s}, nil
}

// Close ends the cluster and returns when nothing of it is left.
func (c *Cluster) Close() error { return c.supervisor.close() }

// sharedClusters starts at most one cluster of each kind for the tests of a process.
type sharedClusters struct {
	mu       sync.Mutex
	clusters map[bool]*Cluster
}

// A test process is the scope that a shared cluster has; nothing but a variable
// of the process has it too.
var shared = sharedClusters{clusters: map[bool]*Cluster{}} //nolint:gochecknoglobals // see above

func (s *sharedClusters) get(controllerManager bool) (*Cluster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.clusters[controllerManager]; ok {
		return c, nil
	}
	opts := []Option{}
	if controllerManager {
		opts = append(opts, WithControllerManager())
	}
	// It outlives the test that asks first, and that test's context with it.
	c, err := New(context.Background(), opts...)
	if err == nil {
		s.clusters[controllerManager] = c
	}
	return c, err
}
