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
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// accepted opens the accepted version of ts with the key that the worker's Deployment has.
func (e *env) accepted(ctx context.Context, ts *v1alpha1.TriggerService) (acceptance.Version, error) {
	d, deployment := &corev1alpha1.Definition{}, &appsv1.Deployment{}
	for _, o := range []client.Object{d, deployment} {
		if err := e.client.Get(ctx, client.ObjectKey{Namespace: e.ns, Name: "kube-trigger-main"}, o); err != nil {
			return acceptance.Version{}, err
		}
	}
	key, err := workerKey(deployment)
	if err != nil {
		return acceptance.Version{}, err
	}
	return acceptance.Open(key, d, ts)
}

// workerKey returns the key in the arguments of a worker.
func workerKey(d *appsv1.Deployment) (ed25519.PublicKey, error) {
	for _, arg := range d.Spec.Template.Spec.Containers[0].Args {
		if text, ok := strings.CutPrefix(arg, "--controller-key="); ok {
			return acceptance.ParseKey(text)
		}
	}
	return nil, errors.New("the worker has no --controller-key")
}

// waitForAccepted waits for the accepted version of a generation.
func (e *env) waitForAccepted(t *testing.T, ts *v1alpha1.TriggerService, generation int64) acceptance.Version {
	t.Helper()
	var v acceptance.Version
	cluster.Eventually(t, "the accepted version", func(ctx context.Context) (err error) {
		if v, err = e.accepted(ctx, ts); err == nil && v.Generation != generation {
			err = fmt.Errorf("got generation %d, want %d", v.Generation, generation)
		}
		return err
	})
	return v
}

// TestAccepted_Restart: a controller that restarts checks nothing again, and writes
// nothing. What has changed meanwhile is checked.
func TestAccepted_Restart(t *testing.T) {
	e := newEnv(t)
	stop := e.start(t)
	ts := e.createService(t)
	v := e.waitForAccepted(t, ts, 1)
	if diff := cmp.Diff(ts.Spec, v.Spec); diff != "" || v.Actions["own"] == "" || v.Spec.Triggers[0].Action.Cue == "" {
		t.Errorf("actions %v, spec (-want +got):\n%s", v.Actions, diff)
	}
	e.settle(t)
	stop()
	if n := e.checks.Load(); n != 1 {
		t.Errorf("%d checks, want 1", n)
	}
	before := e.recorder.requests()
	was, _ := reconciliations(t)
	stop = e.start(t)
	cluster.Eventually(t, "reconciliation", func(context.Context) error {
		if now, _ := reconciliations(t); now == was {
			return errors.New("none")
		}
		return nil
	})
	e.settle(t)
	if n := e.checks.Load(); n != 1 {
		t.Errorf("%d checks after a restart, want 1", n)
	}
	writes := slices.DeleteFunc(e.recorder.requests()[len(before):], func(r string) bool { return strings.HasSuffix(r, "/events") })
	if len(writes) > 0 {
		t.Errorf("writes after a restart: %v", writes)
	}
	stop()
	e.get(t, "main", ts)
	ts.Spec.Suspend = true
	if err := e.client.Update(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	e.start(t)
	e.waitForAccepted(t, ts, 2)
	if n := e.checks.Load(); n != 2 {
		t.Errorf("%d checks after a change, want 2", n)
	}
}

// TestAccepted_Refused: a controller that restarts checks again what could not be checked in
// time.
func TestAccepted_Refused(t *testing.T) {
	e := newEnv(t)
	e.slow.Store(true)
	stop := e.start(t)
	ts := e.createService(t)
	cluster.Eventually(t, "refusal", func(context.Context) error {
		e.get(t, "main", ts)
		if len(ts.Status.RejectedTriggers) != 1 {
			return fmt.Errorf("got status %+v, want a rejected trigger", ts.Status)
		}
		return nil
	})
	stop() // the status is written last
	e.slow.Store(false)
	e.start(t)
	if v := e.waitForAccepted(t, ts, 1); len(v.Rejected) > 0 {
		t.Errorf("rejected %v, want none", v.Rejected)
	}
}

// TestAccepted_Forged: the controller replaces a forged version, and does not believe its
// verdict.
func TestAccepted_Forged(t *testing.T) {
	e := newEnv(t)
	e.start(t)
	ts := e.createService(t)
	v := e.waitForAccepted(t, ts, 1)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	v.Generation, v.Verdict.Report = 7, []byte(`{}`)
	d, err := acceptance.Sign(key, v)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.client.Patch(t.Context(), d, client.Apply, client.FieldOwner("tenant"), client.ForceOwnership); err != nil {
		t.Fatal(err)
	}
	v = e.waitForAccepted(t, ts, 1)
	if !strings.Contains(string(v.Verdict.Report), "Deployment") {
		t.Errorf("report %s", v.Verdict.Report)
	}
}

// TestAccepted_Rotation: once its Secret is deleted, a restarted controller has a new key,
// signs all versions again, and gives the key to the workers.
func TestAccepted_Rotation(t *testing.T) {
	e := newEnv(t)
	stop := e.start(t)
	ts := e.createService(t)
	e.waitForAccepted(t, ts, 1)
	deployment := e.waitForDeployment(t)
	old, err := workerKey(deployment)
	if err != nil {
		t.Fatal(err)
	}
	secret := e.keySecret()
	if err := e.client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: secret.Name}}); err != nil {
		t.Fatal(err)
	}
	stop()
	e.start(t)
	cluster.Eventually(t, "another key", func(ctx context.Context) error {
		if _, err := e.accepted(ctx, ts); err != nil {
			return err
		}
		e.get(t, "kube-trigger-main", deployment)
		if key, err := workerKey(deployment); err != nil || key.Equal(old) {
			return fmt.Errorf("key %v, error %w", key, err)
		}
		return nil
	})
}

// TestAccepted_TooLarge: a version that does not fit into an object is refused, and the
// accepted one stays.
func TestAccepted_TooLarge(t *testing.T) {
	e := newEnv(t)
	e.start(t)
	ts := e.createService(t)
	e.waitForAccepted(t, ts, 1)
	d := &corev1alpha1.Definition{}
	e.get(t, "own", d)
	// Each quote has two bytes in the payload, and four in the Definition.
	d.Spec.Templates[corev1alpha1.MainTemplate] += " // " + strings.Repeat(`"`, acceptance.MaxSize/3)
	if err := e.client.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "a refusal", func(ctx context.Context) error {
		if err := e.client.Get(ctx, client.ObjectKeyFromObject(ts), ts); err != nil {
			return err
		}
		c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated)
		if c == nil || !strings.Contains(c.Message, acceptance.ErrTooLarge.Error()) {
			return fmt.Errorf("condition %+v", c)
		}
		return nil
	})
	e.waitForAccepted(t, ts, 1)
}
