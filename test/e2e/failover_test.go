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

package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// failover tests that a standby worker becomes active when the active worker is evicted or
// killed, without the loss of an event.
func failover(t *testing.T, i *installation) {
	const rounds = 20
	ns := i.Namespace(t)
	i.apply(t, bumpTriggers(ns, "main", "  worker: {properties: {replicas: 2}}"))
	i.waitForReady(t, ns, "main")
	cluster.Eventually(t, "two workers", func(context.Context) error {
		if n := len(i.node.Pods(ns)); n != 2 {
			return fmt.Errorf("got %d pods, want 2", n)
		}
		return nil
	})
	loaded := i.startLoad(t, ns, rounds)
	for range 2 {
		active := i.activePod(t, ns)
		active.Evict(t)
		<-active.Ended()
	}
	i.activePod(t, ns).Kill()
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	repeated := i.waitForBumps(t, ns, rounds)
	t.Logf("%d events: none lost, %d actions repeated", rounds*objectCount, repeated)
}
