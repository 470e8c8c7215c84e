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
// test/controlplane runs the API server and etcd as local processes, on free ports of
// 127.0.0.1. When the test process ends, even if it is killed, these processes end and
// their files are removed.
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
	// Config has administrator rights and no client-side rate limit. Copy it before
	// changing it.
	Config *rest.Config
	// Kubeconfig is the path of an administrator's kubeconfig.
	Kubeconfig string

	supervisor *supervisor
	shared     bool
}

// Option configures a cluster.
type Option func(*options)

type options struct {
	own               bool
	controllerManager bool
	kubeVela          bool
	admissionConfig   string
}

// Own starts a cluster that no other test uses. It is closed when the test ends.
func Own() Option { return func(o *options) { o.own = true } }

// WithControllerManager also runs kube-controller-manager, which deletes namespaces,
// collects garbage and creates default service accounts. It needs a few seconds of CPU
// time.
func WithControllerManager() Option { return func(o *options) { o.controllerManager = true } }

// WithAdmissionConfig has the API server read its admission configuration from file. It
// implies Own.
func WithAdmissionConfig(file string) Option {
	return func(o *options) { o.own, o.admissionConfig = true, file }
}

// WithKubeVelaCRDs installs the CRDs of KubeVela and kube-trigger.
func WithKubeVelaCRDs() Option { return func(o *options) { o.kubeVela = true } }

// Start returns a ready cluster, or fails the test. Without Own, the tests of a process
// share two clusters: one with a controller manager, and one without. Each of them is
// started when it is first used, and ends with the process.
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

// New starts a cluster that runs until Close is called or this process ends. It is for
// programs other than tests; tests use Start.
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

// Close stops the cluster, and waits until its processes have ended and its files are
// removed.
func (c *Cluster) Close() error { return c.supervisor.close() }

// sharedClusters holds the clusters that the tests of a process share.
type sharedClusters struct {
	mu sync.Mutex
	// clusters has the key true for the cluster with a controller manager.
	clusters map[bool]*Cluster
}

// shared is a global variable because its clusters outlive each single test.
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
		c.shared = true
		s.clusters[controllerManager] = c
	}
	return c, err
}
