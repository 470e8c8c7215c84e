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

// StartAPIServer starts the stopped API server on the same port, and waits until it is
// ready. Its watch cache is empty: watches from an earlier resourceVersion get 410 Gone.
func (c *Cluster) StartAPIServer(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "start", Process: apiServer})
}

// StopEtcd kills etcd. It keeps all acknowledged writes.
func (c *Cluster) StopEtcd(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "kill", Process: etcd})
}

// StartEtcd starts the stopped etcd on the same port. It waits until etcd is ready, and
// the API server too unless it is stopped.
func (c *Cluster) StartEtcd(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "start", Process: etcd})
}

// Expire compacts etcd, and restarts the API server to empty its watch cache. All watches
// end. Watches from earlier resourceVersions, and continue tokens of earlier lists, get
// 410 Gone.
func (c *Cluster) Expire(t testing.TB) {
	t.Helper()
	c.StopAPIServer(t)
	c.request(t, request{Do: "compact"})
	c.StartAPIServer(t)
}

// Snapshot stops etcd, copies its data under the name, and starts etcd again.
func (c *Cluster) Snapshot(t testing.TB, name string) {
	t.Helper()
	c.request(t, request{Do: "snapshot", Name: name})
}

// Restore restores the snapshot with the name, and restarts all processes.
// resourceVersions are restored too: etcd assigns the later ones a second time.
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
