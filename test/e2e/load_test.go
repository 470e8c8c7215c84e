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
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// startLoad edits the ConfigMaps web-0 to web-9 rounds times. The channel receives the
// error.
func (i *installation) startLoad(t *testing.T, ns string, rounds int) <-chan error {
	t.Helper()
	for n := range objects {
		name := fmt.Sprintf("web-%d", n)
		i.application(t, ns, name)
		i.edit(t, ns, name, "start")
	}
	ended := make(chan error, 1)
	ctx := t.Context()
	return start(ended, func() error {
		for round := range rounds {
			for n := range objects {
				if err := cluster.Apply(ctx, i.admin, configMap(ns, fmt.Sprintf("web-%d", n), strconv.Itoa(round))); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

const objects = 10

func start(ended chan error, f func() error) <-chan error {
	go func() { ended <- f() }()
	return ended
}

// waitForBumps waits until each Application was bumped for each round, and returns the
// number of repeated actions.
func (i *installation) waitForBumps(t *testing.T, ns string, rounds int) (repeated int) {
	t.Helper()
	cluster.Eventually(t, "all Applications", func(ctx context.Context) error {
		repeated = 0
		for n := range objects {
			name := fmt.Sprintf("web-%d", n)
			text, err := i.version(ctx, ns, name)
			if err != nil {
				return err
			}
			version, err := strconv.Atoi(text)
			if err != nil || version < 1+rounds {
				return fmt.Errorf("%s has version %s, want at least %d", name, text, 1+rounds)
			}
			repeated += version - 1 - rounds
		}
		return nil
	})
	return repeated
}

// editUnderLoad tests that a worker applies changes of triggers without a restart and
// without losing an event.
func editUnderLoad(t *testing.T, i *installation) {
	const rounds = 20
	ns := i.Namespace(t)
	i.apply(t, bump(ns, "main", ""))
	i.ready(t, ns, "main")
	pod := i.singlePod(t, ns)
	loaded := i.startLoad(t, ns, rounds)
	var delays []time.Duration
	for n := range 5 {
		text := strings.ReplaceAll(bump(ns, "main", ""), "^web", "^web"+strings.Repeat(".?", n+1))
		edited := time.Now()
		i.apply(t, text)
		i.until(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
			if ts.Status.WorkerGeneration != ts.Generation {
				return fmt.Errorf("generation %d, the worker has %d", ts.Generation, ts.Status.WorkerGeneration)
			}
			return nil
		})
		delays = append(delays, time.Since(edited).Round(time.Millisecond))
	}
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	repeated := i.waitForBumps(t, ns, rounds)
	t.Logf("5 edits under load took effect after %v; of %d events 0 were lost, %d actions were repeated", delays, rounds*objects, repeated)
	if now := i.singlePod(t, ns); now != pod || pod.Starts() != 1 {
		t.Errorf("pod %s, started %d times; want %s, once", now.Name, now.Starts(), pod.Name)
	}
}

// kindNotFound tests a trigger whose kind is not installed: the other triggers run, the
// status reports it, and it starts once the kind is installed.
func kindNotFound(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	plural := "things" + strings.ReplaceAll(ns, "-", "")
	kind := strings.ToUpper(plural[:1]) + plural[1:]
	var more strings.Builder
	for n := range 18 {
		fmt.Fprintf(&more, `    - name: t%d
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
      filter: context.data.metadata.name == "web-%d"
      action: {type: bump-application-revision}
`, n, ns, n)
	}
	fmt.Fprintf(&more, `    - name: missing
      source: {type: resource-watcher, properties: {apiVersion: e2e.test/v1, kind: %s, namespace: %s}}
      action: {type: bump-application-revision}
  serviceAccountName: own
`, kind, ns)
	i.account(t, ns, "own", fmt.Sprintf(`[{apiGroups: [e2e.test], resources: [%s], verbs: [get, list, watch]}]`, plural))
	i.apply(t, bump(ns, "main", more.String()))
	ts := i.until(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady)
		// The controller updates the condition after the worker's status.
		if ts.Status.ReadyTriggers != "19/20" || c == nil || c.Reason != v1alpha1.ReasonTriggersNotRunning || strings.Contains(c.Message, "Starting") {
			return fmt.Errorf("status: %+v", ts.Status)
		}
		return nil
	})
	last := ts.Status.Triggers[19]
	if last.Name != "missing" || last.State != v1alpha1.TriggerWaiting || last.Reason != v1alpha1.TriggerReasonKindNotFound || !strings.Contains(last.Message, kind) {
		t.Errorf("got trigger %+v, want it to wait for %s", last, kind)
	}
	c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady)
	if c.Status != metav1.ConditionFalse || !strings.HasPrefix(c.Message, "missing: KindNotFound: ") {
		t.Errorf("got condition %+v, want the name of the trigger", c)
	}
	i.application(t, ns, "web-0")
	i.edit(t, ns, "web-0", "0")
	i.edit(t, ns, "web-0", "1")
	i.bumped(t, ns, "web-0", "3") // by "bump" and by "t0"

	installed := time.Now()
	i.Install(t, writeCRD(t, plural, kind))
	i.ready(t, ns, "main")
	t.Logf("the trigger runs %v after its kind was installed", time.Since(installed).Round(time.Millisecond))
	i.application(t, ns, "thing")
	i.apply(t, fmt.Sprintf("apiVersion: e2e.test/v1\nkind: %s\nmetadata: {namespace: %s, name: thing}", kind, ns))
	i.bumped(t, ns, "thing", "2")
}

func writeCRD(t *testing.T, plural, kind string) string {
	t.Helper()
	keep := true
	return writeObject(t, filepath.Join(t.TempDir(), "crd.yaml"), &apiextensionsv1.CustomResourceDefinition{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"},
		ObjectMeta: metav1.ObjectMeta{Name: plural + ".e2e.test"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "e2e.test", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Kind: kind},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &keep}},
			}},
		},
	})
}

// failover tests that the standby worker takes over from one that is killed or evicted,
// without losing an event.
func failover(t *testing.T, i *installation) {
	const rounds = 20
	ns := i.Namespace(t)
	i.apply(t, bump(ns, "main", "  worker: {properties: {replicas: 2}}"))
	i.ready(t, ns, "main")
	cluster.Eventually(t, "two workers", func(context.Context) error {
		if n := len(i.node.Pods(ns)); n != 2 {
			return fmt.Errorf("%d pods", n)
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
	t.Logf("of %d events 0 were lost, %d actions were repeated", rounds*objects, repeated)
}
