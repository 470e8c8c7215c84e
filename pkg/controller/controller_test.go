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
	"sync/atomic"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/actions"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/source"
	configsource "github.com/kubevela/kube-trigger/pkg/source/config"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// recorder records the requests that are not reads.
type recorder struct {
	mu     sync.Mutex
	writes []string
}

// recording is the transport of one controller.
type recording struct {
	*recorder
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r recording) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		r.mu.Lock()
		r.writes = append(r.writes, req.Method+" "+req.URL.Path)
		r.mu.Unlock()
	}
	return r.next.RoundTrip(req)
}

func (r *recorder) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.writes...)
}

// env is a cluster with a controller in this process.
type env struct {
	client   client.Client
	config   *rest.Config
	recorder *recorder
	ns       string
	// others are further namespaces of the controller.
	others []string
	// checks is the number of checks of TriggerServices, described that of Definitions. slow
	// is set if they exceed the time.
	checks, described atomic.Int64
	slow              atomic.Bool
	// changes is the number of calls of change.
	changes int
}

// countingChecker counts its checks.
type countingChecker struct {
	sandbox.Checker

	checks, described *atomic.Int64
	slow              *atomic.Bool
}

// Check implements sandbox.Checker.
func (c countingChecker) Check(ctx context.Context, r sandbox.Request) (sandbox.Report, error) {
	if r.Describe {
		c.described.Add(1)
	} else {
		c.checks.Add(1)
	}
	if c.slow.Load() {
		return sandbox.Report{}, sandbox.ErrResourceExceeded
	}
	return c.Checker.Check(ctx, r)
}

// newEnv returns a cluster without a controller.
func newEnv(t *testing.T) *env {
	t.Helper()
	c := cluster.Start(t)
	crds, err := filepath.Glob("../../addon/crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.Install(t, crds...)
	e := &env{recorder: &recorder{}, config: c.Config, ns: c.Namespace(t)}
	if e.client, err = client.New(c.Config, client.Options{Scheme: newScheme(t)}); err != nil {
		t.Fatal(err)
	}
	// A RoleBinding may only grant permissions that its author has; cluster admins
	// have all.
	for _, name := range []string{controller.WorkerRole, controller.DefaultRole} {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := client.IgnoreAlreadyExists(e.client.Create(t.Context(), role)); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := controller.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return scheme
}

// newManager returns a manager whose requests pass wrap. It reads only the
// namespace of e and vela-system.
func (e *env) newManager(t *testing.T, log logr.Logger, wrap func(next http.RoundTripper) http.RoundTripper) ctrl.Manager {
	t.Helper()
	cfg := rest.CopyConfig(e.config)
	cfg.Wrap(wrap)
	cache := controller.Cache()
	cache.DefaultNamespaces = e.namespaces()
	m, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: newScheme(t), Logger: log, Cache: cache, Metrics: metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// namespaces returns the namespaces of the controller: other tests have TriggerServices, too.
func (e *env) namespaces() map[string]ctrlcache.Config {
	all := map[string]ctrlcache.Config{e.ns: {}, "vela-system": {}, controller.BumpNamespace: {}}
	for _, ns := range e.others {
		all[ns] = ctrlcache.Config{}
	}
	return all
}

// newOptions returns the options of a controller that checks in this process.
func (e *env) newOptions(t *testing.T) controller.Options {
	t.Helper()
	builtIn, err := trigger.BuiltIn(actions.FS)
	if err != nil {
		t.Fatal(err)
	}
	local := sandbox.Local{Sources: source.Registry{configsource.Type: configsource.New(resource.Options{}), resource.Type: resource.New(resource.Options{})}, BuiltIn: builtIn}
	return controller.Options{
		SystemNamespaces: []string{"vela-system"}, Namespaces: e.namespaces(), DefaultWorkerTemplate: controller.DedicatedTemplate, Image: "image", Version: "v1",
		KeySecret: e.keySecret(), Checker: countingChecker{local, &e.checks, &e.described, &e.slow},
	}
}

// start starts a controller, and returns the function that stops it.
func (e *env) start(t *testing.T) (stop func()) {
	t.Helper()
	return e.startWith(t, e.newOptions(t))
}

// startWith starts a controller with options.
func (e *env) startWith(t *testing.T, o controller.Options) (stop func()) {
	t.Helper()
	m := e.newManager(t, logr.Discard(), func(next http.RoundTripper) http.RoundTripper {
		return recording{e.recorder, next}
	})
	if err := controller.Setup(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	return start(t, m)
}

// start runs m until the test ends or stop is called.
func start(t *testing.T, m ctrl.Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// keySecret is the Secret with the controller's key.
func (e *env) keySecret() types.NamespacedName {
	return types.NamespacedName{Namespace: e.ns, Name: "key"}
}

func (e *env) create(t *testing.T, o client.Object) {
	t.Helper()
	if err := e.client.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// createService creates a TriggerService whose action is a Definition.
func (e *env) createService(t *testing.T) *v1alpha1.TriggerService {
	t.Helper()
	e.create(t, &corev1alpha1.Definition{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: "own"},
		Spec: corev1alpha1.DefinitionSpec{
			Type: corev1alpha1.TriggerAction, Templates: map[string]string{corev1alpha1.MainTemplate: "parameter: x?: string"},
		},
	})
	ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: "main"}}
	ts.Spec.Triggers = []v1alpha1.Trigger{{
		Source: v1alpha1.Source{Type: resource.Type, Properties: &runtime.RawExtension{Raw: []byte(`{"apiVersion":"v1","kind":"Pod"}`)}},
		Action: v1alpha1.Action{Type: "own", Cue: "x: context.data.metadata.name"},
	}}
	ts.Spec.Worker = &v1alpha1.Worker{Properties: &runtime.RawExtension{Raw: []byte(
		`{"replicas":2,"resource":{"cpu":{"limits":"1.5","requests":"0.5"},"memory":{"limits":"1024Mi"}}}`)}}
	e.create(t, ts)
	return ts
}

func (e *env) get(t *testing.T, name string, o client.Object) client.Object {
	t.Helper()
	if err := e.client.Get(t.Context(), types.NamespacedName{Namespace: e.ns, Name: name}, o); err != nil {
		t.Fatal(err)
	}
	return o
}

// reconciliations returns the number of reconciliations, without and with an error.
func reconciliations(t *testing.T) (ok, failed float64) {
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

// TestReconcile_Idempotent: 100 reconciliations of an unchanged TriggerService send no
// writes. Objects that are deleted or changed are then restored.
func TestReconcile_Idempotent(t *testing.T) {
	e := newEnv(t)
	e.start(t)
	ts := e.createService(t)
	deployment := &appsv1.Deployment{}
	cluster.Eventually(t, "a worker", func(ctx context.Context) error {
		if err := e.client.Get(ctx, client.ObjectKeyFromObject(ts), ts); err != nil {
			return err
		}
		c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionWorkerAvailable)
		if c == nil || c.Reason != v1alpha1.ReasonStarting {
			return fmt.Errorf("status %+v", ts.Status)
		}
		return nil
	})
	e.get(t, "kube-trigger-main", deployment)
	e.settle(t)
	before := e.recorder.requests()
	was, wasFailed := reconciliations(t)
	const times = 100
	for range times {
		e.change(t)
	}
	now, failed := reconciliations(t)
	if failed -= wasFailed; now-was < times || failed != 0 {
		t.Fatalf("%v reconciliations, %v failed; want %d at least", now-was, failed, times)
	}
	if after := e.recorder.requests(); len(after) != len(before) {
		t.Errorf("%d writes: %v", len(after)-len(before), after[len(before):])
	}
	t.Logf("%v reconciliations, %d writes; the first took %d", now-was, len(e.recorder.requests())-len(before), len(before))

	for _, o := range []client.Object{
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger-main"}},
		&corev1alpha1.Definition{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger-main"}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger"}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger-worker"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger-default"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger-worker"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger-impersonate"}},
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "kube-trigger-impersonate"}},
	} {
		o.SetNamespace(e.ns)
		if err := e.client.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		cluster.Eventually(t, fmt.Sprintf("a new %T", o), func(ctx context.Context) error {
			return e.client.Get(ctx, client.ObjectKeyFromObject(o), o)
		})
	}
	deployment = &appsv1.Deployment{}
	e.get(t, "kube-trigger-main", deployment)
	deployment.Spec.Template.Spec.Containers[0].Image = "evil"
	deployment.Spec.Template.Spec.ServiceAccountName = "evil"
	if err := e.client.Update(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "the unchanged Deployment", func(ctx context.Context) error {
		if err := e.client.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
			return err
		}
		if pod := deployment.Spec.Template.Spec; pod.Containers[0].Image != "image" || pod.ServiceAccountName != "kube-trigger-worker" {
			return fmt.Errorf("image %q, account %q", pod.Containers[0].Image, pod.ServiceAccountName)
		}
		return nil
	})
}

// change changes the worker's Deployment, and waits for a reconciliation.
func (e *env) change(t *testing.T) {
	t.Helper()
	seen, _ := reconciliations(t)
	e.changes++
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"test":"%d"}}}`, e.changes)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: "kube-trigger-main"}}
	if err := e.client.Patch(t.Context(), d, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "reconciliation", func(context.Context) error {
		if now, _ := reconciliations(t); now == seen {
			return fmt.Errorf("%v reconciliations", now)
		}
		return nil
	})
}

// settle waits until the controller has nothing left to write: it reconciles several changes
// without a write.
func (e *env) settle(t *testing.T) {
	t.Helper()
	e.waitForDeployment(t)
	cluster.Eventually(t, "reconciliations without writes", func(context.Context) error {
		before := e.recorder.requests()
		for range 5 {
			e.change(t)
		}
		if after := e.recorder.requests(); len(after) > len(before) {
			return fmt.Errorf("writes %v", after[len(before):])
		}
		return nil
	})
}

// waitForDeployment waits for the worker's Deployment, and returns it.
func (e *env) waitForDeployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	d := &appsv1.Deployment{}
	cluster.Eventually(t, "the worker's Deployment", func(ctx context.Context) error {
		return e.client.Get(ctx, types.NamespacedName{Namespace: e.ns, Name: "kube-trigger-main"}, d)
	})
	return d
}
