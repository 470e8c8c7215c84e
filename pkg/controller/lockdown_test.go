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
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/lockdown"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// startLockedDown starts a controller with these rules.
func (e *env) startLockedDown(t *testing.T, rules lockdown.Rules) (stop func()) {
	t.Helper()
	m := e.newManager(t, logr.Discard(), func(next http.RoundTripper) http.RoundTripper { return recording{e.recorder, next} })
	o := e.newOptions(t)
	o.Lockdown = rules
	if err := controller.Setup(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	return start(t, m)
}

// waitForReady waits until the condition Ready of a TriggerService is as want says, for the
// present generation.
func (e *env) waitForReady(t *testing.T, name, what string, want func(c metav1.Condition) bool) {
	t.Helper()
	cluster.Eventually(t, name+" "+what, func(ctx context.Context) error {
		ts := &v1alpha1.TriggerService{}
		if err := e.client.Get(ctx, client.ObjectKey{Namespace: e.ns, Name: name}, ts); err != nil {
			return err
		}
		c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.ObservedGeneration != ts.Generation || !want(*c) {
			return fmt.Errorf("conditions %+v of generation %d", ts.Status.Conditions, ts.Generation)
		}
		return nil
	})
}

func (e *env) waitForLockdown(t *testing.T, name, message string) {
	t.Helper()
	e.waitForReady(t, name, "locked down", func(c metav1.Condition) bool {
		return c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonLockdown && strings.Contains(c.Message, message)
	})
}

func (e *env) waitForNoLockdown(t *testing.T, name string) {
	t.Helper()
	e.waitForReady(t, name, "not locked down", func(c metav1.Condition) bool { return c.Reason != v1alpha1.ReasonLockdown })
}

// assigned returns the worker that runs a TriggerService; "" for none.
func (e *env) assigned(t *testing.T, name string) string {
	t.Helper()
	d := &corev1alpha1.Definition{}
	e.get(t, "kube-trigger-"+name, d)
	return acceptance.Unverified(d).Worker
}

// newService returns a valid TriggerService without actions of its own.
func (e *env) newService(name string) *v1alpha1.TriggerService {
	ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: name}}
	ts.Spec.Triggers = []v1alpha1.Trigger{{
		Source: v1alpha1.Source{Type: resource.Type, Properties: &runtime.RawExtension{Raw: []byte(`{"apiVersion":"v1","kind":"Pod"}`)}},
		Action: v1alpha1.Action{Type: "log", Properties: &runtime.RawExtension{Raw: []byte(`{}`)}},
	}}
	return ts
}

// TestLockdown_Worker stops TriggerServices that run before the rules exist, in their own worker
// and in that of the namespace, and starts them again.
func TestLockdown_Worker(t *testing.T) {
	e := newEnv(t)
	shared := e.newService("shared")
	shared.Spec.Worker = &v1alpha1.Worker{Template: controller.NamespaceTemplate}
	e.create(t, shared)
	ts := e.createService(t)
	workers := map[string]string{"main": "kube-trigger-main", "shared": "kube-trigger"}
	stop := e.startLockedDown(t, lockdown.Rules{})
	for name, worker := range workers {
		e.waitForNoLockdown(t, name)
		if got := e.assigned(t, name); got != worker {
			t.Errorf("%s: assigned to %q, want %q", name, got, worker)
		}
	}
	stop()

	stop = e.startLockedDown(t, lockdown.Rules{ForbiddenAccounts: []string{e.ns + "/kube-trigger"}})
	const message = `ServiceAccount "kube-trigger" is forbidden`
	for name := range workers {
		e.waitForLockdown(t, name, message)
		if got := e.assigned(t, name); got != "" {
			t.Errorf("%s: assigned to %q, want none", name, got)
		}
	}
	// Neither a change of the triggers nor a broken worker starts it.
	stopped := e.get(t, "kube-trigger-main", &corev1alpha1.Definition{}).GetResourceVersion()
	e.get(t, "main", ts)
	ts.Spec.Triggers[0].Filter = "true"
	ts.Spec.Worker.Properties.Raw = []byte(`{"replicas":"many"}`)
	if err := e.client.Update(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	e.waitForLockdown(t, "main", message)
	if now := e.get(t, "kube-trigger-main", &corev1alpha1.Definition{}).GetResourceVersion(); now != stopped {
		t.Error("a forbidden version was accepted")
	}
	e.get(t, "main", ts)
	ts.Spec.Worker.Properties.Raw = []byte(`{"replicas":2}`)
	if err := e.client.Update(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	stop()

	e.startLockedDown(t, lockdown.Rules{NoClusters: true, NoPrivateEgress: true})
	for name, worker := range workers {
		e.waitForNoLockdown(t, name)
		cluster.Eventually(t, "the worker of "+name, func(context.Context) error {
			d := &appsv1.Deployment{}
			e.get(t, worker, d)
			args := d.Spec.Template.Spec.Containers[0].Args
			if got := e.assigned(t, name); got != worker || !slices.Equal(args[len(args)-2:], []string{"--cluster-access=none", "--deny-private"}) {
				return fmt.Errorf("assigned to %q, want %q, with arguments %v", got, worker, args)
			}
			return nil
		})
	}
}

// TestLockdown_MaxTriggerServices: the older TriggerService runs; once it is deleted, the
// next one does.
func TestLockdown_MaxTriggerServices(t *testing.T) {
	e := newEnv(t)
	e.startLockedDown(t, lockdown.Rules{MaxTriggerServices: 1})
	// Created in the same second: the name decides.
	e.create(t, e.newService("a"))
	e.create(t, e.newService("b"))
	e.waitForNoLockdown(t, "a")
	e.waitForLockdown(t, "b", "has 1 older TriggerServices, and at most 1 are allowed")
	if err := e.client.Delete(t.Context(), e.newService("a")); err != nil {
		t.Fatal(err)
	}
	e.waitForNoLockdown(t, "b")
	if got := e.assigned(t, "b"); got != "kube-trigger-b" {
		t.Errorf("b is assigned to %q", got)
	}
}

// TestLockdown_MaxTriggerServices_Bumps: the controller's own TriggerServices are not counted.
func TestLockdown_MaxTriggerServices_Bumps(t *testing.T) {
	e := newEnv(t)
	e.createBumpNamespace(t)
	e.ns = controller.BumpNamespace
	o := e.newOptions(t)
	o.Lockdown, o.BumpClusters = lockdown.Rules{MaxTriggerServices: 1}, []string{"edge"}
	e.startWith(t, o)
	for _, name := range []string{"a", "b"} {
		ts := e.newService(name)
		e.create(t, ts)
		t.Cleanup(func() {
			if err := e.client.Delete(context.WithoutCancel(t.Context()), ts); err != nil {
				t.Error(err)
			}
		})
	}
	e.waitForNoLockdown(t, "a")
	e.waitForNoLockdown(t, "b")
}

// TestLockdown_WorkerAccount: no TriggerService acts as the account of workers, and workers may
// not act as a forbidden one.
func TestLockdown_WorkerAccount(t *testing.T) {
	e := newEnv(t)
	e.startLockedDown(t, lockdown.Rules{ForbiddenAccounts: []string{"admin"}})
	e.create(t, e.newServiceFor("forged", "kube-trigger-worker", ""))
	e.create(t, e.newServiceFor("forbidden", "admin", ""))
	e.create(t, e.newServiceFor("plain", "bot", ""))
	e.waitForLockdown(t, "forged", `ServiceAccount "kube-trigger-worker" is reserved for workers; use another one`)
	e.waitForLockdown(t, "forbidden", `ServiceAccount "admin" is forbidden`)
	e.waitForNoLockdown(t, "plain")
	e.expectAccounts(t, "bot")
}

// TestLockdown_Validator refuses what is new, and warns about what stays.
func TestLockdown_Validator(t *testing.T) {
	e := newEnv(t)
	m := e.newManager(t, logr.Discard(), func(next http.RoundTripper) http.RoundTripper { return next })
	o := e.newOptions(t)
	o.Lockdown = lockdown.Rules{DefaultAccount: true, NoClusters: true, MaxTriggers: 1, MaxTriggerServices: 1}
	validate := controller.NewValidator(m, o)
	service := func(name string, change func(ts *v1alpha1.TriggerService)) *v1alpha1.TriggerService {
		ts := e.newService(name)
		ts.Spec.Triggers[0].Filter = `context.data.metadata.name == "a"`
		change(ts)
		return ts
	}
	unchanged := func(*v1alpha1.TriggerService) {}
	own := func(ts *v1alpha1.TriggerService) { ts.Spec.ServiceAccountName = "own" }
	ownChanged := func(ts *v1alpha1.TriggerService) {
		own(ts)
		ts.Spec.Triggers[0].Filter = `context.data.metadata.name == "b"`
	}
	other := func(ts *v1alpha1.TriggerService) { ts.Spec.ServiceAccountName = "other" }
	clusters := func(list string) func(ts *v1alpha1.TriggerService) {
		return func(ts *v1alpha1.TriggerService) {
			ts.Spec.Triggers[0].Source.Properties.Raw = []byte(`{"apiVersion":"v1","kind":"Pod","clusters":` + list + `}`)
		}
	}
	more := func(ts *v1alpha1.TriggerService) { ts.Spec.Triggers = append(ts.Spec.Triggers, ts.Spec.Triggers[0]) }
	e.create(t, service("first", unchanged))
	start(t, m)
	if !m.GetCache().WaitForCacheSync(t.Context()) {
		t.Fatal("no cache")
	}
	for _, tt := range []struct {
		name             string
		old, updated     *v1alpha1.TriggerService
		problem, warning string
	}{
		{"create another", nil, service("second", unchanged), "metadata.namespace: ", ""},
		{"update", service("first", own), service("first", unchanged), "", ""},
		{"forbidden account", service("first", unchanged), service("first", own), "spec.serviceAccountName: ", ""},
		{"other change", service("first", own), service("first", ownChanged), "", "spec.serviceAccountName: "},
		{"other account", service("first", own), service("first", other), "spec.serviceAccountName: ", ""},
		{"worker account", nil, service("first", func(ts *v1alpha1.TriggerService) { ts.Spec.ServiceAccountName = "kube-trigger-worker" }), "reserved for workers", ""},
		{"clusters", service("first", unchanged), service("first", clusters(`["eu"]`)), "spec.triggers[0].source.properties.clusters: ", ""},
		{"more clusters", service("first", clusters(`["eu"]`)), service("first", clusters(`["eu","us"]`)), "spec.triggers[0].source.properties.clusters: ", ""},
		{"triggers", service("first", unchanged), service("first", more), "spec.triggers: 2 triggers", ""},
	} {
		q := &admissionv1.AdmissionRequest{
			Kind:      metav1.GroupVersionKind{Group: v1alpha1.Group, Version: v1alpha1.Version, Kind: v1alpha1.TriggerServiceKind},
			Namespace: e.ns, Operation: admissionv1.Create, Object: encode(t, tt.updated),
		}
		if tt.old != nil {
			q.Operation, q.OldObject = admissionv1.Update, encode(t, tt.old)
		}
		verdict, err := validate(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := verdict.Problems.Error(); tt.problem == "" && got != "" || !strings.Contains(got, tt.problem) {
			t.Errorf("%s: got problems %q, want %q", tt.name, got, tt.problem)
		}
		if got := strings.Join(verdict.Warnings, "\n"); tt.warning != "" && !strings.Contains(got, tt.warning) {
			t.Errorf("%s: got warnings %q, want %q", tt.name, got, tt.warning)
		}
	}
}

func encode(t *testing.T, o any) runtime.RawExtension {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: text}
}
