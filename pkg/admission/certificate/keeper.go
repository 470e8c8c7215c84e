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
)

const (
	// checkInterval is how often a Keeper looks whether all is as it should be, and
	// keepAgain how soon after something failed.
	checkInterval = 10 * time.Second
	retryInterval = 5 * time.Second
	// caBundleKey is where the Secret has the authorities to trust.
	caBundleKey = "ca.crt"
)

// Rotator keeps a certificate. No two should run for one Secret.
type Rotator struct {
	Client client.Client
	// APIReader reads what others may have written just now.
	APIReader client.Reader
	// Secret is where the certificate is kept.
	Secret types.NamespacedName
	// Configuration is the name of the ValidatingWebhookConfiguration whose
	// webhooks are to trust it. It need not exist yet.
	Configuration string
	// Names are the names and addresses by which the server is called.
	Names []string
	// FieldManager is what is written as, and Labels are what the Secret has.
	FieldManager string
	Labels       map[string]string
	Clock        clock.Clock
}

// Start keeps the certificate until ctx ends.
func (k *Rotator) Start(ctx context.Context) error {
	for {
		wait := checkInterval
		if err := k.rotate(ctx); err != nil && ctx.Err() == nil {
			logr.FromContextOrDiscard(ctx).Error(err, "webhook certificate not kept; trying again")
			wait = retryInterval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.Clock.After(wait):
		}
	}
}

// rotate makes everything as it should be.
func (k *Rotator) rotate(ctx context.Context) error {
	current, err := readSecret(ctx, k.APIReader, k.Secret)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	why := current.needsRenewal(k.Clock.Now(), k.Names)
	if why == nil {
		return k.updateCABundle(ctx, current.caBundle)
	}
	logr.FromContextOrDiscard(ctx).Info("making a webhook certificate", "reason", why.Error())
	fresh, err := newKeyPair(k.Clock.Now(), k.Names, current.caBundle)
	if err != nil {
		return err
	}
	if err := k.updateCABundle(ctx, fresh.caBundle); err != nil {
		return err
	}
	return k.writeSecret(ctx, fresh)
}

// updateCABundle lets the API server trust authorities.
func (k *Rotator) updateCABundle(ctx context.Context, authorities []byte) error {
	o := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := k.APIReader.Get(ctx, types.NamespacedName{Name: k.Configuration}, o); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil // nobody calls
		}
		return fmt.Errorf("get ValidatingWebhookConfiguration %q: %w", k.Configuration, err)
	}
	// Others may have changed it since, and its fields may be more than are known here.
	patch := []map[string]any{{"op": "test", "path": "/metadata/resourceVersion", "value": o.ResourceVersion}}
	for i, w := range o.Webhooks {
		if !bytes.Equal(w.ClientConfig.CABundle, authorities) {
			patch = append(patch, map[string]any{"op": "add", "path": fmt.Sprintf("/webhooks/%d/clientConfig/caBundle", i), "value": authorities})
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
		return fmt.Errorf("write ValidatingWebhookConfiguration %q: %w", k.Configuration, err)
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
		return fmt.Errorf("write Secret %s: %w", k.Secret, err)
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

// FromSecret returns what reads the certificate that a Keeper keeps in a Secret.
func FromSecret(c client.Reader, secret types.NamespacedName) func(context.Context) (tls.Certificate, error) {
	return func(ctx context.Context) (tls.Certificate, error) {
		p, err := readSecret(ctx, c, secret)
		if err != nil {
			return tls.Certificate{}, err
		}
		if len(p.certificate) == 0 {
			return tls.Certificate{}, errors.New("Secret " + secret.String() + " holds no certificate")
		}
		return tls.X509KeyPair(p.certificate, p.key)
	}
}
