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

package cluster

import "testing"

const (
	etcd      = "etcd"
	apiServer = "kube-apiserver"
)

// StopAPIServer kills the API server.
func (c *Cluster) StopAPIServer(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "kill", Process: apiServer})
}

// StartAPIServer starts the API server again, on the same port, and waits until it is
// ready. Its watch cache is empty: watches from an earlier resourceVersion get 410 Gone.
func (c *Cluster) StartAPIServer(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "start", Process: apiServer})
}

// StopEtcd kills etcd. Acknowledged writes are durable.
func (c *Cluster) StopEtcd(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "kill", Process: etcd})
}

// StartEtcd starts etcd again, on the same port, and waits until it and the API server,
// if it runs, are ready.
func (c *Cluster) StartEtcd(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "start", Process: etcd})
}

// Expire compacts etcd and restarts the API server, whose watch cache has recent events:
// all watches end, and watches and pages from earlier resourceVersions get 410 Gone.
func (c *Cluster) Expire(t testing.TB) {
	t.Helper()
	c.StopAPIServer(t)
	c.request(t, request{Do: "compact"})
	c.StartAPIServer(t)
}

// Snapshot copies the state of etcd. Meanwhile etcd is stopped.
func (c *Cluster) Snapshot(t testing.TB, name string) {
	t.Helper()
	c.request(t, request{Do: "snapshot", Name: name})
}

// Restore restores a snapshot and restarts all processes. resourceVersions are restored
// too, and later ones are assigned again.
func (c *Cluster) Restore(t testing.TB, name string) {
	t.Helper()
	c.request(t, request{Do: "restore", Name: name})
}

func (c *Cluster) request(t testing.TB, r request) {
	t.Helper()
	if err := c.supervisor.request(r); err != nil {
		t.Fatal(err)
	}
}
