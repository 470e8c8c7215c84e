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

// bed is a namespace whose ConfigMaps the API server asks about, by TLS.
type bed struct {
	client  client.Client
	ns      string
	clock   *testclock.FakeClock
	serving *certificate.Source
}

// refused is what the webhook says of all ConfigMaps.
const refused = "no ConfigMaps today"

// start begins at a time before now, so that what is made later is valid already.
func start(t *testing.T, ago time.Duration) *bed {
	t.Helper()
	c := cluster.Start(t)
	b := &bed{ns: c.Namespace(t), clock: testclock.NewFakeClock(time.Now().Add(-ago))}
	var err error
	if b.client, err = client.New(c.Config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	b.serving = certificate.NewSource(b.clock, certificate.FromSecret(b.client, b.secret()))
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: b.serving.Certificate, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	handler := admission.NewHandler(func(context.Context, *admissionv1.AdmissionRequest) (admission.Verdict, error) {
		return admission.Verdict{Problems: diag.List{{Path: "data", Message: refused}}}, nil
	})
	// Connections are not kept, so that each call shows the certificate.
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	server.SetKeepAlivesEnabled(false)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // it ends with the test
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	b.run(t, b.serving.Start)
	url := "https://" + listener.Addr().String()
	err = b.client.Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: b.ns},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "configmaps.trigger.oam.dev", AdmissionReviewVersions: []string{"v1"},
			SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), FailurePolicy: ptr.To(admissionregistrationv1.Ignore),
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: &url},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": b.ns}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bed) secret() types.NamespacedName { return types.NamespacedName{Namespace: b.ns, Name: name} }

// run runs something until the test ends.
func (b *bed) run(t *testing.T, start func(context.Context) error) {
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

// keeper keeps the certificate of this bed.
func (b *bed) keeper() *certificate.Rotator {
	return &certificate.Rotator{
		Client: b.client, APIReader: b.client, Secret: b.secret(), Configuration: b.ns,
		Names: []string{"localhost", "127.0.0.1"}, FieldManager: "test", Clock: b.clock,
	}
}

// passes lets time pass until something holds.
func (b *bed) passes(t *testing.T, what string, holds func(ctx context.Context) error) {
	t.Helper()
	cluster.Eventually(t, what, func(ctx context.Context) error {
		b.clock.Step(time.Second)
		return holds(ctx)
	})
}

// asked reports whether the API server trusts whom it asks.
func (b *bed) asked(ctx context.Context) error {
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.ns, GenerateName: "a-"}}
	if err := b.client.Create(ctx, o, client.DryRunAll); !apierrors.IsInvalid(err) {
		return fmt.Errorf("want that it is refused, got %s", fmt.Sprint(err))
	}
	return nil
}

// serial names the certificate that is served.
func (b *bed) serial() string {
	c, err := b.serving.Certificate(nil)
	if err != nil {
		return err.Error()
	}
	return c.Leaf.SerialNumber.String()
}

// TestRotation: the API server trusts a certificate that was just made, the one
// that takes its place in time, and one that takes the place of a damaged one.
func TestRotation(t *testing.T) {
	const age = certificate.Lifetime - certificate.RenewBefore
	b := start(t, age)
	if err := b.serving.Ready(nil); err == nil {
		t.Error("ready without a certificate")
	}
	b.run(t, b.keeper().Start)
	b.passes(t, "the first certificate", b.asked)
	first := b.serial()
	if err := b.serving.Ready(nil); err != nil {
		t.Errorf("not ready: %v", err)
	}
	b.clock.Step(age - time.Hour)
	for range 20 { // more than once for the Keeper, and for what is served
		b.passes(t, "somebody waits", func(context.Context) error {
			if !b.clock.HasWaiters() {
				return fmt.Errorf("nobody")
			}
			return b.asked(t.Context())
		})
	}
	if got := b.serial(); got != first {
		t.Errorf("replaced an hour too early")
	}
	b.clock.Step(time.Hour)
	b.passes(t, "the second certificate", func(ctx context.Context) error {
		if err := b.asked(ctx); err != nil {
			t.Errorf("while the certificate is replaced: %v", err)
		}
		if b.serial() == first {
			return fmt.Errorf("still the first")
		}
		return nil
	})
	second := b.serial()
	if err := b.client.Patch(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.ns, Name: name}},
		client.RawPatch(types.MergePatchType, []byte(`{"data": {"tls.key": "AAAA"}}`))); err != nil {
		t.Fatal(err)
	}
	b.passes(t, "the third certificate", func(ctx context.Context) error {
		if b.serial() == second {
			return fmt.Errorf("still the second")
		}
		return b.asked(ctx)
	})
}

// TestFiles: files that are replaced are served; those that are damaged are not,
// and what was served goes on.
func TestFiles(t *testing.T) {
	b := start(t, 0)
	keeper := b.keeper()
	keeper.Configuration = "none"
	b.run(t, keeper.Start)
	dir := t.TempDir()
	copied := func(ctx context.Context) error {
		s := &corev1.Secret{}
		if err := b.client.Get(ctx, b.secret(), s); err != nil {
			return err
		}
		for _, file := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
			if err := os.WriteFile(filepath.Join(dir, file), s.Data[file], 0o600); err != nil {
				return err
			}
		}
		return nil
	}
	cluster.Eventually(t, "a certificate", copied)
	files := certificate.NewSource(b.clock, certificate.Files(dir))
	b.run(t, files.Start)
	serial := func() string {
		c, err := files.Certificate(nil)
		if err != nil {
			return ""
		}
		return c.Leaf.SerialNumber.String()
	}
	b.passes(t, "the first certificate", func(context.Context) error { return files.Ready(nil) })
	first := serial()
	if err := os.WriteFile(filepath.Join(dir, corev1.TLSPrivateKeyKey), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	steps := 0
	b.passes(t, "the damaged file is read", func(context.Context) error {
		if steps++; steps < 100 {
			return fmt.Errorf("%d s", steps)
		}
		return nil
	})
	if got := serial(); got != first {
		t.Errorf("serving %q, want what was served before, %q", got, first)
	}
	if err := b.client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.ns, Name: name}}); err != nil {
		t.Fatal(err)
	}
	b.passes(t, "the second certificate", func(ctx context.Context) error {
		if err := copied(ctx); err != nil {
			return err
		}
		if serial() == first {
			return fmt.Errorf("still the first")
		}
		return nil
	})
}
