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
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// newServiceFor returns a TriggerService that acts as an account, with properties of a worker of
// its own; empty for none.
func (e *env) newServiceFor(name, account string, properties string) *v1alpha1.TriggerService {
	ts := e.newService(name)
	ts.Spec.ServiceAccountName = account
	if properties != "" {
		ts.Spec.Worker = &v1alpha1.Worker{Properties: &runtime.RawExtension{Raw: []byte(properties)}}
	}
	return ts
}

// expectWorker waits until the accepted version of a TriggerService is assigned to the
// worker, whose Deployment exists.
func (e *env) expectWorker(t *testing.T, ts *v1alpha1.TriggerService, worker string) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("worker %s of %s", worker, ts.Name), func(ctx context.Context) error {
		d := &corev1alpha1.Definition{}
		if err := e.client.Get(ctx, client.ObjectKey{Namespace: e.ns, Name: "kube-trigger-" + ts.Name}, d); err != nil {
			return err
		}
		if v := acceptance.Unverified(d); v.Worker != worker {
			return fmt.Errorf("assigned to %q", v.Worker)
		}
		return e.client.Get(ctx, client.ObjectKey{Namespace: e.ns, Name: worker}, &appsv1.Deployment{})
	})
}

// expectNone waits until a Deployment does not exist.
func (e *env) expectNone(t *testing.T, worker string) {
	t.Helper()
	cluster.Eventually(t, "no Deployment "+worker, func(ctx context.Context) error {
		err := e.client.Get(ctx, client.ObjectKey{Namespace: e.ns, Name: worker}, &appsv1.Deployment{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, errors.New("it exists"))
	})
}

// expectAccounts waits until the worker's account may act as accounts, and as no others.
func (e *env) expectAccounts(t *testing.T, accounts ...string) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("a Role for %v", accounts), func(ctx context.Context) error {
		role := &rbacv1.Role{}
		if err := e.client.Get(ctx, client.ObjectKey{Namespace: e.ns, Name: controller.ImpersonateRole}, role); err != nil {
			return err
		}
		want := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate"}, ResourceNames: accounts}}
		if diff := cmp.Diff(want, role.Rules); diff != "" {
			return fmt.Errorf("rules (-want +got):\n%s", diff)
		}
		return nil
	})
}

// TestReconcile_NamespaceWorker: the TriggerServices of a namespace share a worker, which may
// act as their ServiceAccounts only, and which ends with the last of them. One that asks for
// a worker of its own moves, and moves back.
func TestReconcile_NamespaceWorker(t *testing.T) {
	e := newEnv(t)
	o := e.newOptions(t)
	o.DefaultWorkerTemplate = ""
	e.startWith(t, o)
	plain, bot := e.newServiceFor("plain", "", ""), e.newServiceFor("bot", "bot", "")
	e.create(t, plain)
	e.create(t, bot)
	e.expectWorker(t, plain, "kube-trigger")
	e.expectWorker(t, bot, "kube-trigger")
	e.expectAccounts(t, "bot", "kube-trigger")

	account, d := &corev1.ServiceAccount{}, &appsv1.Deployment{}
	e.get(t, "kube-trigger-worker", account)
	e.get(t, "kube-trigger", d)
	if !metav1.IsControlledBy(d, account) || d.Spec.Template.Spec.ServiceAccountName != account.Name {
		t.Errorf("owners %+v and account %q of the worker, want ServiceAccount %s", d.OwnerReferences, d.Spec.Template.Spec.ServiceAccountName, account.Name)
	}
	if args := d.Spec.Template.Spec.Containers[0].Args; args[1] != "--worker-namespace="+e.ns {
		t.Errorf("arguments %q", args)
	}
	cluster.Eventually(t, "both owners", func(ctx context.Context) error {
		if err := e.client.Get(ctx, client.ObjectKeyFromObject(account), account); err != nil {
			return err
		}
		if len(account.OwnerReferences) != 2 {
			return fmt.Errorf("owners %+v", account.OwnerReferences)
		}
		return nil
	})

	own := e.newServiceFor("plain", "", `{"config":{"workers":2}}`)
	e.update(t, plain, own.Spec)
	e.expectWorker(t, plain, "kube-trigger-plain")
	e.expectWorker(t, bot, "kube-trigger")
	e.update(t, bot, e.newServiceFor("bot", "other", `{"replicas":2}`).Spec)
	e.expectWorker(t, bot, "kube-trigger-bot")
	e.expectAccounts(t, "kube-trigger", "other")
	e.expectNone(t, "kube-trigger")

	e.update(t, plain, e.newServiceFor("plain", "", "").Spec)
	e.expectWorker(t, plain, "kube-trigger")
	e.expectNone(t, "kube-trigger-plain")
}

// TestReconcile_NamespaceWorkerProperties: the worker that others share has no properties of
// one TriggerService.
func TestReconcile_NamespaceWorkerProperties(t *testing.T) {
	e := newEnv(t)
	e.start(t)
	ts := e.newServiceFor("main", "", `{"replicas":2}`)
	ts.Spec.Worker.Template = controller.NamespaceTemplate
	e.create(t, ts)
	cluster.Eventually(t, "the error", func(ctx context.Context) error {
		if err := e.client.Get(ctx, client.ObjectKeyFromObject(ts), ts); err != nil {
			return err
		}
		const want = `spec.worker.properties: must be empty with template "namespace"`
		for _, c := range ts.Status.Conditions {
			if c.Type == v1alpha1.ConditionValidated && len(c.Message) >= len(want) && c.Message[:len(want)] == want {
				return nil
			}
		}
		return fmt.Errorf("conditions %+v, want %q", ts.Status.Conditions, want)
	})
	e.expectNone(t, "kube-trigger")
}

// TestReconcile_Suspected: TriggerServices that are suspected of crashing the worker of their
// namespace move to workers of their own, three at most; the next one is stopped. All run with
// the others again once their spec has changed.
func TestReconcile_Suspected(t *testing.T) {
	e := newEnv(t)
	o := e.newOptions(t)
	o.DefaultWorkerTemplate = ""
	e.startWith(t, o)
	var all []*v1alpha1.TriggerService
	for _, name := range []string{"a", "b", "c", "d", "good"} {
		ts := e.newServiceFor(name, "", "")
		e.create(t, ts)
		e.expectWorker(t, ts, "kube-trigger")
		all = append(all, ts)
	}
	for _, ts := range all[:4] {
		patch := fmt.Sprintf(`{"status":{"suspectedGeneration":%d}}`, ts.Generation)
		if err := e.client.Status().Patch(t.Context(), ts, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			t.Fatal(err)
		}
	}
	for _, ts := range all[:3] {
		e.expectWorker(t, ts, "kube-trigger-"+ts.Name)
	}
	e.waitForReady(t, "d", "stopped", func(c metav1.Condition) bool {
		return c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonWorkerCrashed
	})
	if got := e.assigned(t, "d"); got != "" {
		t.Errorf("d is assigned to %q, want none", got)
	}
	for _, ts := range all[:4] {
		spec := e.newServiceFor(ts.Name, "", "").Spec
		spec.Triggers[0].Filter = `context.data.metadata.name == "x"`
		e.update(t, ts, spec)
		e.expectWorker(t, ts, "kube-trigger")
	}
	e.expectWorker(t, all[4], "kube-trigger")
}

// update changes the spec of a TriggerService.
func (e *env) update(t *testing.T, ts *v1alpha1.TriggerService, spec v1alpha1.TriggerServiceSpec) {
	t.Helper()
	e.get(t, ts.Name, ts)
	ts.Spec = spec
	if err := e.client.Update(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
}

// TestReconcile_NamespaceWorkers: 200 TriggerServices, as the traits of 200 Applications have,
// in 10 namespaces take 10 workers of one replica.
func TestReconcile_NamespaceWorkers(t *testing.T) {
	e := newEnv(t)
	for i := range 9 {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", e.ns, i)}}
		if err := e.client.Create(t.Context(), ns); err != nil {
			t.Fatal(err)
		}
		e.others = append(e.others, ns.Name)
	}
	o := e.newOptions(t)
	o.DefaultWorkerTemplate = ""
	e.startWith(t, o)
	all := append([]string{e.ns}, e.others...)
	for i := range 200 {
		name := fmt.Sprintf("app-%d", i)
		ts := e.newServiceFor(name, name, "")
		ts.Namespace = all[i%len(all)]
		e.create(t, ts)
	}
	for _, ns := range all {
		cluster.Eventually(t, "20 accepted TriggerServices in namespace "+ns, func(ctx context.Context) error {
			versions := &corev1alpha1.DefinitionList{}
			if err := e.client.List(ctx, versions, client.InNamespace(ns)); err != nil {
				return err
			}
			assigned := 0
			for i := range versions.Items {
				if acceptance.Unverified(&versions.Items[i]).Worker == "kube-trigger" {
					assigned++
				}
			}
			if assigned != 20 {
				return fmt.Errorf("%d are assigned to the namespace's worker", assigned)
			}
			return nil
		})
		workers := &appsv1.DeploymentList{}
		if err := e.client.List(t.Context(), workers, client.InNamespace(ns)); err != nil {
			t.Fatal(err)
		}
		if len(workers.Items) != 1 || *workers.Items[0].Spec.Replicas != 1 {
			t.Errorf("namespace %s has %d workers: %+v", ns, len(workers.Items), workers.Items)
		}
	}
}
