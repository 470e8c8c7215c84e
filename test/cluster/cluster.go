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

// Package cluster runs a Kubernetes API server for tests.
//
// The API server and etcd are processes of this machine, started by test/controlplane on
// free ports of 127.0.0.1. They end with the test process, even if it is killed, and
// leave no files behind.
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

// Cluster is a running control plane. It is safe for concurrent use. Tests that stop,
// expire or restore it must use Own.
type Cluster struct {
	// Config is an administrator's, without a client-side rate limit. Copy it before
	// changing it.
	Config *rest.Config
	// Kubeconfig is the path of an administrator's kubeconfig.
	Kubeconfig string

	supervisor *supervisor
}

// Option configures a cluster.
type Option func(*options)

type options struct {
	own               bool
	controllerManager bool
	kubeVela          bool
}

// Own starts a cluster for the test only, which ends with the test.
func Own() Option { return func(o *options) { o.own = true } }

// WithControllerManager also runs kube-controller-manager, which deletes namespaces,
// collects garbage and creates default service accounts. It needs a few seconds of CPU
// time.
func WithControllerManager() Option { return func(o *options) { o.controllerManager = true } }

// WithKubeVelaCRDs installs the CRDs of KubeVela and kube-trigger.
func WithKubeVelaCRDs() Option { return func(o *options) { o.kubeVela = true } }

// Start returns a ready cluster, or fails the test. Without Own, the tests of a process
// share one cluster with a controller manager and one without, which are started at the
// first call and end with the process.
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

// New starts a cluster, until Close is called or this process ends. It is for programs
// that are not tests.
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

// Close ends the cluster, and waits until its processes and files are gone.
func (c *Cluster) Close() error { return c.supervisor.close() }

// sharedClusters holds the clusters that the tests of a process share.
type sharedClusters struct {
	mu       sync.Mutex
	clusters map[bool]*Cluster
}

// shared clusters live as long as the test process, which only a variable does.
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
	// The cluster outlives the first test and its context.
	c, err := New(context.Background(), opts...)
	if err == nil {
		s.clusters[controllerManager] = c
	}
	return c, err
}
