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

package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubevela/kube-trigger/actions"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// writes counts the requests that are no reads.
type writes struct {
	to http.RoundTripper

	mu   sync.Mutex
	list []string
}

// RoundTrip implements http.RoundTripper.
func (w *writes) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		w.mu.Lock()
		w.list = append(w.list, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
	}
	return w.to.RoundTrip(r)
}

func (w *writes) so() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.list...)
}

// env is a cluster with a controller in this process.
type env struct {
	client client.Client
	writes *writes
	ns     string
}

func start(t *testing.T) *env {
	t.Helper()
	c := cluster.Start(t)
	crds, err := filepath.Glob("../../addon/crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.Install(t, crds...)
	scheme := runtime.NewScheme()
	if err := controller.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := &env{writes: &writes{}, ns: c.Namespace(t)}
	if b.client, err = client.New(c.Config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	// Subjects of a binding have to be given what the role has, which cluster
	// admins have anyhow.
	b.create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: controller.WorkerRole}})
	config := rest.CopyConfig(c.Config)
	config.Wrap(func(to http.RoundTripper) http.RoundTripper {
		b.writes.to = to
		return b.writes
	})
	m, err := ctrl.NewManager(config, ctrl.Options{Scheme: scheme, Cache: controller.Cache(), Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	builtIn, err := trigger.BuiltIn(actions.FS)
	if err != nil {
		t.Fatal(err)
	}
	err = controller.Setup(t.Context(), m, controller.Options{
		SystemNamespaces: []string{"vela-system"}, Image: "image",
		Checker: sandbox.Local{Sources: source.Registry{resource.Type: resource.New(resource.Options{})}, BuiltIn: builtIn},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *env) create(t *testing.T, o client.Object) {
	t.Helper()
	if err := b.client.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// service makes a TriggerService whose action a Definition makes.
func (b *env) service(t *testing.T) *v1alpha1.TriggerService {
	t.Helper()
	b.create(t, &corev1alpha1.Definition{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.ns, Name: "own"},
		Spec: corev1alpha1.DefinitionSpec{
			Type: corev1alpha1.TriggerAction, Templates: map[string]string{corev1alpha1.MainTemplate: "parameter: x?: string"},
		},
	})
	ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: b.ns, Name: "main"}}
	ts.Spec.Triggers = []v1alpha1.Trigger{{
		Source: v1alpha1.Source{Type: resource.Type, Properties: &runtime.RawExtension{Raw: []byte(`{"apiVersion":"v1","kind":"Pod"}`)}},
		Action: v1alpha1.Action{Type: "own"},
	}}
	ts.Spec.Worker = &v1alpha1.Worker{Properties: &runtime.RawExtension{Raw: []byte(
		`{"replicas":2,"resource":{"cpu":{"limits":"1.5","requests":"0.5"},"memory":{"limits":"1024Mi"}}}`)}}
	b.create(t, ts)
	return ts
}

func (b *env) get(t *testing.T, name string, o client.Object) client.Object {
	t.Helper()
	if err := b.client.Get(t.Context(), types.NamespacedName{Namespace: b.ns, Name: name}, o); err != nil {
		t.Fatal(err)
	}
	return o
}

// reconciled returns how often anything was reconciled.
func reconciled(t *testing.T) (ok, failed float64) {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				switch {
				case l.GetName() == "result" && l.GetValue() == "error":
					failed += m.GetCounter().GetValue()
				case l.GetName() == "result":
					ok += m.GetCounter().GetValue()
				}
			}
		}
	}
	return ok, failed
}

// TestUnchangedIsNotWritten reconciles an unchanged TriggerService 100 times, and
// sees no request but reads; then it takes away what the controller made, and
// sees it made again.
func TestUnchangedIsNotWritten(t *testing.T) {
	b := start(t)
	ts := b.service(t)
	deployment := &appsv1.Deployment{}
	cluster.Eventually(t, "a worker", func(ctx context.Context) error {
		if err := b.client.Get(ctx, client.ObjectKeyFromObject(ts), ts); err != nil {
			return err
		}
		c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionWorkerAvailable)
		if c == nil || c.Reason != v1alpha1.ReasonStarting {
			return fmt.Errorf("status %+v", ts.Status)
		}
		return nil
	})
	b.get(t, "kube-trigger-main", deployment)
	b.settle(t)
	before := b.writes.so()
	was, _ := reconciled(t)
	const times = 100
	for n := range times {
		seen, _ := reconciled(t)
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"test":"%d"}}}`, n)
		if err := b.client.Patch(t.Context(), deployment, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			t.Fatal(err)
		}
		cluster.Eventually(t, "reconciliation", func(context.Context) error {
			if now, _ := reconciled(t); now == seen {
				return fmt.Errorf("%v reconciliations", now)
			}
			return nil
		})
	}
	now, failed := reconciled(t)
	if now-was < times || failed != 0 {
		t.Fatalf("%v reconciliations, %v failed; want %d at least", now-was, failed, times)
	}
	if after := b.writes.so(); len(after) != len(before) {
		t.Errorf("%d writes: %v", len(after)-len(before), after[len(before):])
	}
	t.Logf("%v reconciliations, %d writes; the first took %d", now-was, len(b.writes.so())-len(before), len(before))

	for _, o := range []client.Object{
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger-main"}},
		&corev1alpha1.Definition{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger-main"}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger"}},
	} {
		o.SetNamespace(b.ns)
		if err := b.client.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		cluster.Eventually(t, fmt.Sprintf("%T again", o), func(ctx context.Context) error {
			return b.client.Get(ctx, client.ObjectKeyFromObject(o), o)
		})
	}
	deployment = &appsv1.Deployment{}
	b.get(t, "kube-trigger-main", deployment)
	deployment.Spec.Template.Spec.Containers[0].Image = "evil"
	deployment.Spec.Template.Spec.ServiceAccountName = "evil"
	if err := b.client.Update(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "the Deployment as it was", func(ctx context.Context) error {
		if err := b.client.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
			return err
		}
		if pod := deployment.Spec.Template.Spec; pod.Containers[0].Image != "image" || pod.ServiceAccountName != "kube-trigger" {
			return fmt.Errorf("image %q, account %q", pod.Containers[0].Image, pod.ServiceAccountName)
		}
		return nil
	})
}

// settle waits until nothing is reconciled any more for a while.
func (b *env) settle(t *testing.T) {
	t.Helper()
	since, last := time.Now(), -1.0
	cluster.Eventually(t, "an end of reconciliations", func(context.Context) error {
		if now, _ := reconciled(t); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) < 500*time.Millisecond {
			return fmt.Errorf("%v reconciliations", last)
		}
		return nil
	})
}
