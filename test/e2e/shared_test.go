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
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/pods"
)

var services = flag.Int("services", 10, "how many TriggerServices the shared worker runs at once")

// shared: a TriggerService without a worker of its own acts as the account of its
// namespace and nobody else, gets its own worker and gives it back without losing
// an event, and leaves nothing behind.
func shared(t *testing.T, i *installation) {
	const rounds = 20
	ns, other := i.Namespace(t), i.Namespace(t)
	own, others := bump(ns, "main", ""), fmt.Sprintf(`    - name: elsewhere
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s}}
      action: {type: bump-application-revision}
`, other)
	i.apply(t, bump(ns, "main", others+"  worker: {template: shared}"))
	i.until(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.Working != "1/2" || ts.Status.Triggers[1].Reason != v1alpha1.TriggerReasonForbidden {
			return fmt.Errorf("status %+v", ts.Status)
		}
		return nil
	})
	i.apply(t, bump(ns, "main", "  worker: {template: shared}"))
	i.ready(t, ns, "main")
	i.gone(t, ns, &appsv1.DeploymentList{})

	loaded := i.load(t, ns, rounds)
	i.apply(t, own)
	i.until(t, ns, "main", condition(v1alpha1.ConditionWorkerAvailable, metav1.ConditionTrue, v1alpha1.ReasonAvailable))
	i.ready(t, ns, "main")
	i.active(t, ns)
	i.apply(t, bump(ns, "main", "  worker: {template: shared}"))
	i.gone(t, ns, &corev1.PodList{})
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	more := i.allBumped(t, ns, rounds)
	t.Logf("of %d events 0 were lost, %d were acted on twice", rounds*objects, more)

	for _, more := range []string{
		"  worker: {template: shared, properties: {replicas: 2}}", "  worker: {template: shared}\n  serviceAccountName: own",
		"    - {name: hook, source: {type: webhook, properties: {auth: none}}, action: {type: bump-application-revision}}\n  worker: {template: shared}",
	} {
		i.apply(t, bump(ns, "main", more))
		i.until(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
			for _, c := range ts.Status.Conditions {
				if c.Type == v1alpha1.ConditionValidated && c.Status == metav1.ConditionFalse && c.ObservedGeneration == ts.Generation {
					return nil
				}
			}
			return fmt.Errorf("valid with %s: %+v", more, ts.Status)
		})
	}
	i.delete(t, own)
	for _, list := range []client.ObjectList{&corev1.ServiceAccountList{}, &rbacv1.RoleBindingList{}, &coordinationv1.LeaseList{}} {
		i.gone(t, ns, list)
	}
}

// many: one shared worker runs many TriggerServices, each of which works, and a
// worker of its own does not notice.
func many(t *testing.T, i *installation) {
	const perNamespace = 50
	own := i.Namespace(t)
	i.application(t, own, "web")
	i.edit(t, own, "web", "0")
	i.apply(t, bump(own, "main", ""))
	i.ready(t, own, "main")
	pool := i.pool(t)
	before, watchesBefore := rss(t, pool), i.watches(t)
	began := time.Now()
	var namespaces []string
	for n := range *services {
		if n%perNamespace == 0 {
			ns := i.Namespace(t)
			namespaces = append(namespaces, ns)
		}
		ns, name := namespaces[n/perNamespace], fmt.Sprintf("web-%d", n)
		i.application(t, ns, name)
		i.edit(t, ns, name, "0")
		i.apply(t, strings.Replace(bump(ns, name, "  worker: {template: shared}"), "^web", "^"+name+"$", 1))
	}
	i.everywhere(t, namespaces, func(ts *v1alpha1.TriggerService) bool { return ts.Status.Working == "1/1" })
	took := time.Since(began)
	for n := range *services {
		i.edit(t, namespaces[n/perNamespace], fmt.Sprintf("web-%d", n), "1")
	}
	i.everywhere(t, namespaces, func(ts *v1alpha1.TriggerService) bool { return ts.Status.Acted >= 1 })
	for n := range *services {
		i.bumped(t, namespaces[n/perNamespace], fmt.Sprintf("web-%d", n), "2")
	}
	i.edit(t, own, "web", "1")
	i.bumped(t, own, "web", "2")
	if starts := i.only(t, own).Starts(); starts != 1 {
		t.Errorf("a worker of its own was started %d times", starts)
	}
	if pool.Starts() != 1 || len(i.node.Pods(namespaces[0])) != 0 {
		t.Errorf("the shared worker was started %d times, and there are %d others", pool.Starts(), len(i.node.Pods(namespaces[0])))
	}
	t.Logf("%d TriggerServices work %v after the first was made; memory %d → %d MiB, watches %d → %d",
		*services, took.Round(time.Second), before>>20, rss(t, pool)>>20, watchesBefore, i.watches(t))
}

// everywhere waits until something holds for all TriggerServices of namespaces.
func (i *installation) everywhere(t *testing.T, namespaces []string, holds func(*v1alpha1.TriggerService) bool) {
	t.Helper()
	deadline := time.Now().Add(cluster.Patience + time.Duration(*services)*time.Second)
	for {
		missing := 0
		for _, ns := range namespaces {
			list := &v1alpha1.TriggerServiceList{}
			if err := i.admin.List(t.Context(), list, client.InNamespace(ns)); err != nil {
				t.Fatal(err)
			}
			for n := range list.Items {
				if !holds(&list.Items[n]) {
					missing++
				}
			}
		}
		if missing == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d TriggerServices are not as they should be", missing)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// pool returns the shared worker.
func (i *installation) pool(t *testing.T) *pods.Pod {
	t.Helper()
	var found *pods.Pod
	cluster.Eventually(t, "the shared worker", func(context.Context) error {
		for _, p := range i.node.Pods("vela-system") {
			if strings.HasPrefix(p.Name, "kube-trigger-shared-") && p.PID() != 0 {
				found = p
				return nil
			}
		}
		return fmt.Errorf("no pod")
	})
	return found
}

// rss returns the memory of a pod's process.
func rss(t *testing.T, p *pods.Pod) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Fatal("no VmRSS")
	}
	kib, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// watches returns how many watches the API server serves.
func (i *installation) watches(t *testing.T) int {
	t.Helper()
	text, err := i.Client(t).Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, m := range regexp.MustCompile(`(?m)^apiserver_longrunning_requests\{.*verb="WATCH".*\} (\d+)$`).FindAllSubmatch(text, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
