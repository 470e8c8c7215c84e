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
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// startLoad creates the Applications and ConfigMaps web-0 to web-9, and starts to update each
// ConfigMap rounds times. The channel receives the error, or nil after the last update.
func (i *installation) startLoad(t *testing.T, ns string, rounds int) <-chan error {
	t.Helper()
	for n := range objectCount {
		name := fmt.Sprintf("web-%d", n)
		i.createApplication(t, ns, name)
		i.applyConfigMap(t, ns, name, "start")
	}
	ctx := t.Context()
	return start(func() error {
		for round := range rounds {
			for n := range objectCount {
				if err := cluster.Apply(ctx, i.admin, configMap(ns, fmt.Sprintf("web-%d", n), strconv.Itoa(round))); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// objectCount is the number of the ConfigMaps and Applications of a load.
const objectCount = 10

// start runs f in a goroutine. The channel receives the result of f.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// waitForBumps waits until each Application is bumped at least once per round, and returns
// the number of repeated actions.
func (i *installation) waitForBumps(t *testing.T, ns string, rounds int) (repeated int) {
	t.Helper()
	cluster.Eventually(t, "bumps of all Applications", func(ctx context.Context) error {
		repeated = 0
		for n := range objectCount {
			name := fmt.Sprintf("web-%d", n)
			text, err := i.version(ctx, ns, name)
			if err != nil {
				return err
			}
			version, err := strconv.Atoi(text)
			if err != nil || version < 1+rounds {
				return fmt.Errorf("Application %s: got version %s, want at least %d", name, text, 1+rounds)
			}
			repeated += version - 1 - rounds
		}
		return nil
	})
	return repeated
}

// editUnderLoad tests that a worker applies changes of triggers under load, without a restart
// and without the loss of an event.
func editUnderLoad(t *testing.T, i *installation) {
	const rounds = 20
	ns := i.Namespace(t)
	i.apply(t, bumpTriggers(ns, "main", ""))
	i.waitForReady(t, ns, "main")
	pod := i.singlePod(t, ns)
	loaded := i.startLoad(t, ns, rounds)
	var delays []time.Duration
	for n := range 5 {
		text := strings.ReplaceAll(bumpTriggers(ns, "main", ""), "^web", "^web"+strings.Repeat(".?", n+1))
		edited := time.Now()
		i.apply(t, text)
		i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
			if ts.Status.WorkerGeneration != ts.Generation {
				return fmt.Errorf("got worker generation %d, want %d", ts.Status.WorkerGeneration, ts.Generation)
			}
			return nil
		})
		delays = append(delays, time.Since(edited).Round(time.Millisecond))
	}
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	repeated := i.waitForBumps(t, ns, rounds)
	t.Logf("5 edits under load took effect after %v; %d events: none lost, %d actions repeated", delays, rounds*objectCount, repeated)
	if got := i.singlePod(t, ns); got != pod || got.Starts() != 1 {
		t.Errorf("got pod %s, started %d times; want %s, started once", got.Name, got.Starts(), pod.Name)
	}
}
