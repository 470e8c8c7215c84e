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

// StopAPIServer ends the API server as a crash would.
func (c *Cluster) StopAPIServer(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "kill", Process: apiServer})
}

// StartAPIServer starts it again, on the same port, and returns when it is
// ready. Its watch cache is empty: watches from a resourceVersion before that
// get 410 Gone.
func (c *Cluster) StartAPIServer(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "start", Process: apiServer})
}

// StopEtcd ends etcd as a crash would. What the API server answered stays.
func (c *Cluster) StopEtcd(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "kill", Process: etcd})
}

// StartEtcd starts it again, on the same port, and returns when it is ready and
// the API server, if that runs, has found it.
func (c *Cluster) StartEtcd(t testing.TB) {
	t.Helper()
	c.request(t, request{Do: "start", Process: etcd})
}

// Expire makes etcd and the API server forget all but the latest state: every
// watch ends, and a watch or page from an earlier resourceVersion gets 410 Gone.
// Compacting etcd is not enough for that, since the API server remembers recent
// events by itself: it is restarted too.
func (c *Cluster) Expire(t testing.TB) {
	t.Helper()
	c.StopAPIServer(t)
	c.request(t, request{Do: "compact"})
	c.StartAPIServer(t)
}

// Snapshot keeps a copy of etcd's state under name. etcd is away meanwhile.
func (c *Cluster) Snapshot(t testing.TB, name string) {
	t.Helper()
	c.request(t, request{Do: "snapshot", Name: name})
}

// Restore brings back the state that Snapshot kept under name and restarts
// everything, as an operator would. resourceVersions go back with it, so the
// same one may name another state than before.
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
