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

package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/sleep"
)

const (
	// checkInterval is the time between two checks of a Rotator, and retryInterval the
	// time after a failed one.
	checkInterval = 10 * time.Second
	retryInterval = 5 * time.Second
	// caBundleKey is the key of the CA bundle in the Secret.
	caBundleKey = "ca.crt"
)

// Rotator rotates the certificate in a Secret. Only one Rotator may run per Secret.
type Rotator struct {
	Client client.Client
	// APIReader reads from the API server, past the cache of Client.
	APIReader client.Reader
	// Secret holds the certificate. The Rotator creates it.
	Secret types.NamespacedName
	// Configuration is the name of the ValidatingWebhookConfiguration whose CA bundles
	// are updated. It does not have to exist.
	Configuration string
	// Names are the DNS names and IP addresses of the server. The first is the common
	// name.
	Names []string
	// FieldManager is used for all writes. Labels are set on the Secret.
	FieldManager string
	Labels       map[string]string
	Clock        clock.Clock
}

// Start rotates the certificate until ctx ends. Errors are logged and retried.
func (k *Rotator) Start(ctx context.Context) error {
	for {
		wait := checkInterval
		if err := k.rotate(ctx); err != nil && ctx.Err() == nil {
			logr.FromContextOrDiscard(ctx).Error(err, "webhook certificate not rotated; retrying")
			wait = retryInterval
		}
		if !sleep.For(ctx, k.Clock, wait) {
			return nil
		}
	}
}

// rotate replaces the certificate if necessary, after the CA bundles trust the new one.
func (k *Rotator) rotate(ctx context.Context) error {
	current, err := readSecret(ctx, k.APIReader, k.Secret)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	reason := current.needsRenewal(k.Clock.Now(), k.Names)
	if reason == nil {
		return k.updateCABundle(ctx, current.caBundle)
	}
	logr.FromContextOrDiscard(ctx).Info("creating webhook certificate", "reason", reason.Error())
	fresh, err := newKeyPair(k.Clock.Now(), k.Names, current.caBundle)
	if err != nil {
		return err
	}
	if err := k.updateCABundle(ctx, fresh.caBundle); err != nil {
		return err
	}
	return k.writeSecret(ctx, fresh)
}

// updateCABundle writes caBundle to every webhook of the configuration, if it exists.
func (k *Rotator) updateCABundle(ctx context.Context, caBundle []byte) error {
	o := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := k.APIReader.Get(ctx, types.NamespacedName{Name: k.Configuration}, o); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil // the webhook is not registered
		}
		return fmt.Errorf("get ValidatingWebhookConfiguration %q: %w", k.Configuration, err)
	}
	// The test fails on concurrent changes. A JSON patch keeps fields that this client
	// does not know.
	patch := []map[string]any{{"op": "test", "path": "/metadata/resourceVersion", "value": o.ResourceVersion}}
	for i, w := range o.Webhooks {
		if !bytes.Equal(w.ClientConfig.CABundle, caBundle) {
			patch = append(patch, map[string]any{"op": "add", "path": fmt.Sprintf("/webhooks/%d/clientConfig/caBundle", i), "value": caBundle})
		}
	}
	if len(patch) == 1 {
		return nil
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	if err := k.Client.Patch(ctx, o, client.RawPatch(types.JSONPatchType, text), client.FieldOwner(k.FieldManager)); err != nil {
		return fmt.Errorf("patch ValidatingWebhookConfiguration %q: %w", k.Configuration, err)
	}
	return nil
}

func (k *Rotator) writeSecret(ctx context.Context, p keyPair) error {
	o := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: k.Secret.Namespace, Name: k.Secret.Name, Labels: k.Labels},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{caBundleKey: p.caBundle, corev1.TLSCertKey: p.certificate, corev1.TLSPrivateKeyKey: p.key},
	}
	if err := k.Client.Patch(ctx, o, client.Apply, client.FieldOwner(k.FieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("apply Secret %s: %w", k.Secret, err)
	}
	return nil
}

func readSecret(ctx context.Context, c client.Reader, name types.NamespacedName) (keyPair, error) {
	s := &corev1.Secret{}
	if err := c.Get(ctx, name, s); err != nil {
		return keyPair{}, fmt.Errorf("get Secret %s: %w", name, err)
	}
	return keyPair{s.Data[caBundleKey], s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey]}, nil
}

// FromSecret returns a load function for NewSource that reads the certificate of a
// Rotator's Secret.
func FromSecret(c client.Reader, secret types.NamespacedName) func(context.Context) (tls.Certificate, error) {
	return func(ctx context.Context) (tls.Certificate, error) {
		p, err := readSecret(ctx, c, secret)
		if err != nil {
			return tls.Certificate{}, err
		}
		if len(p.certificate) == 0 {
			return tls.Certificate{}, errors.New("Secret " + secret.String() + " has no certificate")
		}
		return tls.X509KeyPair(p.certificate, p.key)
	}
}
