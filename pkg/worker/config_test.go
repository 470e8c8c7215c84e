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

package worker_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/worker"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// newKey returns a new key of a controller.
func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicKey(key ed25519.PrivateKey) ed25519.PublicKey {
	public, _ := key.Public().(ed25519.PublicKey)
	return public
}

// watchConfig returns a watcher of "main", which exists, and a channel with the reasons why accepted
// versions are ignored.
func watchConfig(t *testing.T, e *env, key ed25519.PrivateKey) (*worker.ConfigWatcher, <-chan string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	reasons := make(chan string, 100)
	services, err := worker.Watch(ctx, e.Config, worker.WatchOptions{
		Namespace: e.ns, Name: "main", Worker: "kube-trigger-main",
		Key: publicKey(key), Clock: clock.RealClock{},
		OnIgnored: func(_ *v1alpha1.TriggerService, reason string) { reasons <- reason },
	})
	if err != nil {
		t.Fatal(err)
	}
	found := make(chan *worker.ConfigWatcher, 1)
	go services.Run(ctx, func(_ context.Context, w *worker.ConfigWatcher) { found <- w })
	return <-found, reasons
}

// accepted returns the version of ts as it is.
func accepted(ts *v1alpha1.TriggerService) acceptance.Version {
	return acceptance.Version{Namespace: ts.Namespace, Name: ts.Name, UID: ts.UID, Generation: ts.Generation, Worker: "kube-trigger-main", Spec: ts.Spec}
}

// accept writes v, signed with key.
func (e *env) accept(t *testing.T, key ed25519.PrivateKey, v acceptance.Version) *corev1alpha1.Definition {
	t.Helper()
	d, err := acceptance.Sign(key, v)
	if err != nil {
		t.Fatal(err)
	}
	e.apply(t, d)
	return d
}

func (e *env) apply(t *testing.T, d *corev1alpha1.Definition) {
	t.Helper()
	d = d.DeepCopy()
	d.Namespace, d.Name = e.ns, trigger.AcceptedName("main")
	if err := e.client.Patch(t.Context(), d, client.Apply, client.FieldOwner("test"), client.ForceOwnership); err != nil {
		t.Fatal(err)
	}
}

// next waits for a configuration that differs from c.
func next(t *testing.T, w *worker.ConfigWatcher, c worker.Config) worker.Config {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cluster.WaitTimeout)
	defer cancel()
	config, err := w.Next(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestConfigWatcher_Next(t *testing.T) {
	e, key := newEnv(t), newKey(t)
	ts := e.createService(t)
	w, _ := watchConfig(t, e, key)
	v := accepted(ts)
	e.accept(t, key, v)
	first := next(t, w, worker.Config{})
	if first.Service.UID != ts.UID || first.Service.Generation != 1 || first.Actions != nil || first.Reject(0, "main-0", "") != "" {
		t.Errorf("got %+v", first)
	}
	if diff := cmp.Diff(ts.Spec, first.Service.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}

	// A change of the TriggerService alone, and of its status, changes nothing.
	e.patchStatus(t, ts, func(s *v1alpha1.TriggerServiceStatus) { s.ReadyTriggers, s.Succeeded = "1/1", 5 })
	ts.Spec.Suspend = true
	if err := e.client.Update(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	v.Actions = map[string]string{"own": "x: 1"}
	e.accept(t, key, v)
	second := next(t, w, first)
	if second.Service.Spec.Suspend || second.Service.Generation != 1 {
		t.Errorf("an unchecked change was returned: %+v", second.Service)
	}
	if diff := cmp.Diff(v.Actions, second.Actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}

	v.Generation, v.Spec, v.Rejected = ts.Generation, ts.Spec, map[string]string{"main-0": "too slow"}
	e.accept(t, key, v)
	third := next(t, w, second)
	if third.Reject(0, "main-0", "") != "too slow" || third.Reject(1, "main-1", "") != "" || !third.Service.Spec.Suspend || third.Service.Generation != 2 {
		t.Errorf("got %+v", third)
	}

	// The controller changes what a source watches without another generation.
	v.Spec = *ts.Spec.DeepCopy()
	v.Spec.Triggers[0].Source.Properties = &runtime.RawExtension{Raw: []byte(`{"objects":[]}`)}
	d := e.accept(t, key, v)
	if third = next(t, w, third); string(third.Service.Spec.Triggers[0].Source.Properties.Raw) != `{"objects":[]}` || third.Service.Generation != 2 {
		t.Errorf("got %+v", third.Service)
	}

	// What was accepted last continues when the Definition is deleted.
	if err := e.client.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := e.client.Delete(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(t.Context(), third); !errors.Is(err, worker.ErrDeleted) {
		t.Errorf("error %v, want ErrDeleted", err)
	}
}

// TestConfigWatcher_Restart: a new worker runs the last accepted version, although the
// TriggerService has changed since.
func TestConfigWatcher_Restart(t *testing.T) {
	e, key := newEnv(t), newKey(t)
	ts := e.createService(t)
	e.accept(t, key, accepted(ts))
	ts.Spec.Suspend = true
	if err := e.client.Update(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	w, _ := watchConfig(t, e, key)
	if config := next(t, w, worker.Config{}); config.Service.Spec.Suspend || config.Service.Generation != 1 {
		t.Errorf("got %+v", config.Service)
	}
}

// TestConfigWatcher_Forged: what the controller has not signed for this TriggerService is
// ignored, with the reason, and what runs continues.
func TestConfigWatcher_Forged(t *testing.T) {
	e, key := newEnv(t), newKey(t)
	ts := e.createService(t)
	ts.Spec.Suspend = true
	if err := e.client.Update(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	good := accepted(ts)
	signed := func(key ed25519.PrivateKey, change func(*acceptance.Version)) *corev1alpha1.Definition {
		v := good
		v.Actions = map[string]string{"forged": "x: 1"}
		change(&v)
		d, err := acceptance.Sign(key, v)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	unchanged := func(*acceptance.Version) {}
	altered, unsigned, oldType := signed(key, unchanged), signed(key, unchanged), signed(key, unchanged)
	altered.Spec.Templates["payload.json"] = strings.Replace(altered.Spec.Templates["payload.json"], `"forged"`, `"other"`, 1)
	delete(unsigned.Spec.Templates, "signature")
	oldType.Spec.Type = "trigger-actions-in-force"
	w, reasons := watchConfig(t, e, key)
	check := func(name string, d *corev1alpha1.Definition, want string) {
		e.apply(t, d)
		if got := cluster.Receive(t, name+" to be ignored", reasons); !strings.Contains(got, want) {
			t.Errorf("%s: ignored because %q, want %q", name, got, want)
		}
		if w.Ignored() == "" {
			t.Errorf("%s: Ignored() is empty", name)
		}
	}
	// Before a version has been accepted, and after.
	check("unsigned", unsigned, "not signed by the controller")
	e.accept(t, key, good)
	running := next(t, w, worker.Config{})
	if reason := cluster.Receive(t, "a reason", reasons); reason != "" || running.Actions != nil {
		t.Fatalf("running %+v, ignored because %q", running, reason)
	}
	check("altered", altered, "not signed by the controller")
	e.accept(t, key, good)
	cluster.Receive(t, "a reason", reasons)
	check("another key", signed(newKey(t), unchanged), "not signed by the controller")
	check("another type", oldType, `its type is "trigger-actions-in-force"`)
	check("another UID", signed(key, func(v *acceptance.Version) { v.UID = "other" }), "with the UID other")
	check("another name", signed(key, func(v *acceptance.Version) { v.Name = "other" }), "signed for the TriggerService "+e.ns+"/other")
	check("another namespace", signed(key, func(v *acceptance.Version) { v.Namespace = "other" }), "signed for the TriggerService other/main")
	check("older", signed(key, func(v *acceptance.Version) { v.Generation = 1 }), "older than the accepted one, 2")

	good.Actions = map[string]string{"own": "x: 1"}
	e.accept(t, key, good)
	config := next(t, w, running)
	if diff := cmp.Diff(good.Actions, config.Actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if reason := w.Ignored(); reason != "" {
		t.Errorf("ignored because %q", reason)
	}
}
