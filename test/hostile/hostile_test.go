//go:build hostile

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

// Package hostile attacks an installation of kube-trigger on a real API server, and watches
// an honest namespace meanwhile. It has the build tag hostile, because other tests would not
// bear its load.
//
// The controller and the workers are processes with tokens of their ServiceAccounts and with
// the memory and CPU limits of their manifests. The short form checks that nothing is lost,
// that neither the controller nor the honest worker ends, and that a new honest TriggerService
// becomes ready. The long form, with -long, checks the time of both, too; its figures are in
// docs/security.md.
package hostile

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/figures"
	"github.com/kubevela/kube-trigger/test/program"
)

const (
	// maxReady is the maximum time until a new honest TriggerService is ready.
	maxReady = 15 * time.Second
	// maxChecked is the maximum time until 1,000 TriggerServices that are applied at once
	// are checked.
	maxChecked = time.Minute
	// maxRatio limits the p99 latency of honest actions during attacks, as a multiple of
	// that of the quiet times in between. All processes share the CPUs of one machine, so
	// that requests to the API server take longer, too: what slows a plain client as much
	// is not counted.
	maxRatio = 2
)

func TestMain(m *testing.M) {
	flag.Bool("long", false, "run the long form of the attacks")
	flag.String("report", "", "file whose table of figures is replaced")
	flag.String("only", "", "run only the attacks whose name contains this")
	flag.Parse()
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// flagValue returns the value of one of the flags above.
func flagValue[T any](name string) T {
	return flag.Lookup(name).Value.(flag.Getter).Get().(T)
}

// attack is what one tenant does to others.
type attack struct {
	name string
	// what is the attack, as a cell of the table.
	what string
	// run attacks until ctx ends.
	run func(ctx context.Context, t *tenant)
	// check returns what went wrong in the end; optional.
	check func(ctx context.Context, t *tenant) error
}

func attacks() []attack {
	var all []attack
	for _, list := range [][]attack{admissionAttacks(), checkAttacks(), objectAttacks(), eventAttacks(), networkAttacks(), connectionAttacks(), identityAttacks()} {
		all = append(all, list...)
	}
	return all
}

// result is a row of the table.
type result struct {
	attack
	quiet, attacked latencies
	ready           time.Duration
	kills           int
	failed          bool
}

func TestHostile(t *testing.T) {
	// Without the race detector, so that limits on memory hold.
	file, err := program.Build(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	i := install(t, file)
	h := newHonest(t, i)
	i.honest = h.namespace
	window := 2 * time.Second
	if flagValue[bool]("long") {
		window = 10 * time.Second
	}
	if flagValue[string]("only") == "" {
		h.warmUp(t)
	}
	var results []result
	for n, a := range attacks() {
		if !strings.Contains(a.name, flagValue[string]("only")) {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			r := result{attack: a}
			if flagValue[bool]("long") {
				r.quiet = h.measure(t, window)
			}
			i.attack(t, h, a, n, window, &r)
			r.failed = t.Failed()
			results = append(results, r)
		})
	}
	// At the end: Kubernetes deletes what is left of them at its own pace.
	var checked time.Duration
	if flagValue[bool]("long") && flagValue[string]("only") == "" {
		t.Run("thousand", func(t *testing.T) { checked = i.checkThousand(t) })
	}
	text := table(t.Context(), checked, results)
	t.Log("\n" + text)
	if !flagValue[bool]("long") {
		return
	}
	quiet, attacked := pool(results, false), pool(results, true)
	slower := float64(p99(attacked.actions)) / float64(p99(quiet.actions))
	if plain := max(1, float64(p99(attacked.plain))/float64(p99(quiet.plain))); slower > maxRatio*plain {
		t.Errorf("p99 of honest actions: got %.1f times that of quiet times during attacks, and %.1f times for a plain client; want less than %d times that", slower, plain, maxRatio)
	}
	if file := flagValue[string]("report"); file != "" {
		if err := figures.Replace(file, "make hostile", text); err != nil {
			t.Error(err)
		}
	}
}

// checkThousand applies 1,000 TriggerServices of five triggers each at once, in ten
// namespaces, and returns the time until all of them are checked.
func (i *installation) checkThousand(t *testing.T) time.Duration {
	const count = 1000
	var tenants []*tenant
	for range 10 {
		tenants = append(tenants, i.newTenant(t))
	}
	start := time.Now()
	each(t.Context(), count, 8, func(n int) {
		var triggers strings.Builder
		for k, filter := range []string{"", `context.data.data.n == "N"`, `context.data.metadata.name =~ "^web-N"`, "len(context.data.data) > 1", `context: data: kind: "ConfigMap"`} {
			triggers.WriteString(trigger(fmt.Sprint("t", k), strings.ReplaceAll(filter, "N", fmt.Sprint(n)), "{type: bump-application-revision}"))
		}
		if err := tenants[n%len(tenants)].idle(t.Context(), fmt.Sprint("x", n), triggers.String()); err != nil {
			t.Error(err)
		}
	})
	checked := 0 // of tenants
	cluster.Eventually(t, "checks", func(ctx context.Context) error {
		for ; checked < len(tenants); checked++ {
			if err := tenants[checked].validated(ctx); err != nil {
				wait(ctx, 500*time.Millisecond) // lists of this size are work for the API server
				return err
			}
		}
		return nil
	})
	took := time.Since(start)
	if took > maxChecked {
		t.Errorf("%d TriggerServices were checked in %s, want at most %s", count, took, maxChecked)
	}
	for _, tenant := range tenants {
		tenant.leave()
	}
	return took
}

// validated returns an error unless all TriggerServices of the tenant are validated.
func (t *tenant) validated(ctx context.Context) error {
	list := &v1alpha1.TriggerServiceList{}
	if err := t.installation.admin.List(ctx, list, client.InNamespace(t.namespace)); err != nil {
		return err
	}
	for _, ts := range list.Items {
		if c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated); c == nil || c.Status != metav1.ConditionTrue {
			return fmt.Errorf("TriggerService %s/%s: got status %+v, want it to be validated", ts.Namespace, ts.Name, ts.Status)
		}
	}
	return nil
}

// attack runs a in a namespace of its own while honest actions are measured.
func (i *installation) attack(t *testing.T, h *honest, a attack, n int, window time.Duration, r *result) {
	controller, worker := i.controllerPod(t), h.pod(t)
	controllerStarts, workerStarts := controller.Starts(), worker.Starts()
	tenant := i.newTenant(t)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { a.run(ctx, tenant) })
	select {
	case <-tenant.begun:
	case <-time.After(cluster.WaitTimeout):
		t.Error("the attack did not begin")
	}
	wg.Go(func() {
		var err error
		if r.ready, err = h.newService(t.Context(), fmt.Sprintf("new-%d", n)); err != nil {
			t.Errorf("new honest TriggerService: %v", err)
		}
	})
	r.attacked = h.measure(t, window)
	if a.check != nil {
		cluster.Eventually(t, a.name, func(ctx context.Context) error { return a.check(ctx, tenant) })
	}
	stop()
	wg.Wait()
	if tenant.done.Load() == 0 {
		t.Error("the attack wrote and sent nothing")
	}
	r.kills = i.kills(tenant.namespace)
	if got := controller.Starts(); got != controllerStarts {
		t.Errorf("the controller ended %d times, want 0", got-controllerStarts)
	}
	if got := worker.Starts(); got != workerStarts {
		t.Errorf("the honest worker ended %d times, want 0", got-workerStarts)
	}
	if flagValue[bool]("long") && r.ready > maxReady {
		t.Errorf("a new honest TriggerService was ready after %s, want at most %s", r.ready, maxReady)
	}
	tenant.leave()
}
