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
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	storecluster "github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/pods"
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

// failoverTime measures how soon a standby worker acts after the active worker was stopped, as
// with its node: the process neither ends nor is it restarted meanwhile. On a quiet machine
// that is 5 s at most. Where others use the processors, too, the test only tells a Lease of 3 s
// from the one of 15 s that a worker without a standby has.
func failoverTime(t *testing.T, i *installation) {
	const rounds = 12
	ns := i.Namespace(t)
	for n := range rounds {
		i.createApplication(t, ns, fmt.Sprint("web-", n))
		i.applyConfigMap(t, ns, fmt.Sprint("web-", n), "0")
	}
	i.apply(t, bumpTriggers(ns, "main", "  worker: {properties: {replicas: 2}}"))
	i.waitForReady(t, ns, "main")
	var all []time.Duration
	for n := range rounds {
		name := fmt.Sprint("web-", n)
		active := i.activePod(t, ns)
		i.waitForStandby(t, ns, active)
		begin, pid := time.Now(), active.PID()
		if pid == 0 {
			t.Fatalf("pod %s has ended before it was stopped", active.Name)
		}
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		// If the test fails, a stopped process would not end by SIGTERM.
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
		i.applyConfigMap(t, ns, name, "1")
		cluster.Eventually(t, "bump of Application "+name, func(ctx context.Context) error {
			version, err := i.version(ctx, ns, name)
			if err == nil && version == "1" {
				err = errors.New("not bumped")
			}
			return err
		})
		all = append(all, time.Since(begin).Round(10*time.Millisecond))
		starts := active.Starts()
		active.Kill()
		cluster.Eventually(t, "restart of the stopped worker", func(context.Context) error {
			if active.Starts() == starts {
				return errors.New("not restarted")
			}
			return nil
		})
	}
	slices.Sort(all)
	t.Logf("from the end of the active worker to the action of the other: %v", all)
	if median := all[rounds/2]; median >= storecluster.DefaultLeaseDuration {
		t.Errorf("half of the failovers took %s or more, want less than %s", median, storecluster.DefaultLeaseDuration)
	}
}

// waitForStandby waits until the worker that is not active waits for its election.
func (i *installation) waitForStandby(t *testing.T, namespace string, active *pods.Pod) {
	t.Helper()
	cluster.Eventually(t, "standby worker", func(context.Context) error {
		for _, p := range i.node.Pods(namespace) {
			logs := p.Logs()
			if p != active && p.Starts() == strings.Count(logs, `"waiting for the other worker to end"`) {
				return nil
			}
		}
		return errors.New("no worker waits")
	})
}
