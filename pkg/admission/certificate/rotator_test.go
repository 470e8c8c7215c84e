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

package certificate_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/admission"
	"github.com/kubevela/kube-trigger/pkg/admission/certificate"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/test/cluster"
)

const name = "kube-trigger-webhook"

// env is a namespace whose ConfigMaps are validated by a webhook with TLS.
type env struct {
	client client.Client
	ns     string
	clock  *testclock.FakeClock
	source *certificate.Source
}

// denied is the message with which the webhook denies every ConfigMap.
const denied = "no ConfigMaps today"

// newEnv returns an env whose clock is behind the real one by ago, so that a
// certificate is already valid when it is created later.
func newEnv(t *testing.T, ago time.Duration) *env {
	t.Helper()
	c := cluster.Start(t)
	e := &env{ns: c.Namespace(t), clock: testclock.NewFakeClock(time.Now().Add(-ago))}
	var err error
	if e.client, err = client.New(c.Config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	e.source = certificate.NewSource(e.clock, certificate.FromSecret(e.client, e.secret()))
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: e.source.Certificate, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	handler := admission.NewHandler(func(context.Context, *admissionv1.AdmissionRequest) (admission.Verdict, error) {
		return admission.Verdict{Problems: diag.List{{Path: "data", Message: denied}}}, nil
	})
	// Every call opens a connection and thus verifies the certificate.
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	server.SetKeepAlivesEnabled(false)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(listener) // until the test ends
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-stopped
	})
	e.run(t, e.source.Start)
	url := "https://" + listener.Addr().String()
	err = e.client.Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: e.ns},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "configmaps.trigger.oam.dev", AdmissionReviewVersions: []string{"v1"},
			SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), FailurePolicy: ptr.To(admissionregistrationv1.Ignore),
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: &url},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": e.ns}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *env) secret() types.NamespacedName { return types.NamespacedName{Namespace: e.ns, Name: name} }

// run calls start in the background until the test ends.
func (e *env) run(t *testing.T, start func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// rotator returns a Rotator for the Secret and the webhook of e.
func (e *env) rotator() *certificate.Rotator {
	return &certificate.Rotator{
		Client: e.client, APIReader: e.client, Secret: e.secret(), Configuration: e.ns,
		Names: []string{"localhost", "127.0.0.1"}, FieldManager: "test", Clock: e.clock,
	}
}

// eventually steps the clock until check succeeds.
func (e *env) eventually(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	cluster.Eventually(t, what, func(ctx context.Context) error {
		e.clock.Step(time.Second)
		return check(ctx)
	})
}

// called returns an error unless the API server trusts and calls the webhook.
func (e *env) called(ctx context.Context) error {
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, GenerateName: "a-"}}
	if err := e.client.Create(ctx, o, client.DryRunAll); !apierrors.IsInvalid(err) {
		return fmt.Errorf("want denied, got %s", fmt.Sprint(err))
	}
	return nil
}

// serial returns the serial number of the served certificate.
func (e *env) serial() string {
	c, err := e.source.Certificate(nil)
	if err != nil {
		return err.Error()
	}
	return c.Leaf.SerialNumber.String()
}

// TestRotator: the API server trusts the first certificate, the one that replaces it
// before it expires, and the one that replaces a damaged one.
func TestRotator(t *testing.T) {
	const age = certificate.Lifetime - certificate.RenewBefore
	e := newEnv(t, age)
	if err := e.source.Ready(nil); err == nil {
		t.Error("ready without a certificate")
	}
	e.run(t, e.rotator().Start)
	e.eventually(t, "the first certificate", e.called)
	first := e.serial()
	if err := e.source.Ready(nil); err != nil {
		t.Errorf("not ready: %v", err)
	}
	e.clock.Step(age - time.Hour)
	for range 20 { // several checks of the Rotator and reloads of the Source
		e.eventually(t, "a waiter on the clock", func(context.Context) error {
			if !e.clock.HasWaiters() {
				return fmt.Errorf("no waiter")
			}
			return e.called(t.Context())
		})
	}
	if got := e.serial(); got != first {
		t.Errorf("replaced an hour too early")
	}
	e.clock.Step(time.Hour)
	e.eventually(t, "the second certificate", func(ctx context.Context) error {
		if err := e.called(ctx); err != nil {
			t.Errorf("while the certificate is replaced: %v", err)
		}
		if e.serial() == first {
			return fmt.Errorf("still the first")
		}
		return nil
	})
	second := e.serial()
	if err := e.client.Patch(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: name}},
		client.RawPatch(types.MergePatchType, []byte(`{"data": {"tls.key": "AAAA"}}`))); err != nil {
		t.Fatal(err)
	}
	e.eventually(t, "the third certificate", func(ctx context.Context) error {
		if e.serial() == second {
			return fmt.Errorf("still the second")
		}
		return e.called(ctx)
	})
}

// TestSource_Files: replaced files are served. If a file is damaged, the previous
// certificate stays.
func TestSource_Files(t *testing.T) {
	e := newEnv(t, 0)
	rotator := e.rotator()
	rotator.Configuration = "none"
	e.run(t, rotator.Start)
	dir := t.TempDir()
	copyFiles := func(ctx context.Context) error {
		s := &corev1.Secret{}
		if err := e.client.Get(ctx, e.secret(), s); err != nil {
			return err
		}
		for _, file := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
			if err := os.WriteFile(filepath.Join(dir, file), s.Data[file], 0o600); err != nil {
				return err
			}
		}
		return nil
	}
	cluster.Eventually(t, "a certificate", copyFiles)
	files := certificate.NewSource(e.clock, certificate.Files(dir))
	e.run(t, files.Start)
	serial := func() string {
		c, err := files.Certificate(nil)
		if err != nil {
			return ""
		}
		return c.Leaf.SerialNumber.String()
	}
	e.eventually(t, "the first certificate", func(context.Context) error { return files.Ready(nil) })
	first := serial()
	if err := os.WriteFile(filepath.Join(dir, corev1.TLSPrivateKeyKey), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	steps := 0
	e.eventually(t, "reloads of the damaged file", func(context.Context) error {
		if steps++; steps < 100 {
			return fmt.Errorf("%d s", steps)
		}
		return nil
	})
	if got := serial(); got != first {
		t.Errorf("serving %q, want the previous certificate %q", got, first)
	}
	if err := e.client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: name}}); err != nil {
		t.Fatal(err)
	}
	e.eventually(t, "the second certificate", func(ctx context.Context) error {
		if err := copyFiles(ctx); err != nil {
			return err
		}
		if serial() == first {
			return fmt.Errorf("still the first")
		}
		return nil
	})
}
