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

package app

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kubevela/kube-trigger/pkg/admission"
	"github.com/kubevela/kube-trigger/pkg/admission/certificate"
	"github.com/kubevela/kube-trigger/pkg/controller"
)

// webhookName is the name of the validating webhook's Service, of the Secret with
// its certificate, and of its ValidatingWebhookConfiguration.
const webhookName = "kube-trigger-webhook"

// WebhookOptions configure the validating webhook of the controller.
type WebhookOptions struct {
	// Enabled has the controller serve the webhook.
	Enabled bool
	// Addr is the address of the webhook.
	Addr string
	// CertDir is a directory with tls.crt and tls.key, which are read again once
	// they change. Without it the controller issues and rotates a certificate of
	// its own, and adds its CA to the ValidatingWebhookConfiguration.
	CertDir string
	// ClientCA is a file with the authorities of client certificates, which is read
	// again once it changes. Callers without such a certificate are refused. Empty to
	// answer everybody.
	ClientCA string
}

// addTo adds the webhook to m if it is enabled.
func (o WebhookOptions) addTo(m ctrl.Manager, namespace string, v admission.Validator) error {
	if !o.Enabled {
		return nil
	}
	secret := types.NamespacedName{Namespace: namespace, Name: webhookName}
	load := certificate.FromSecret(m.GetAPIReader(), secret)
	if o.CertDir != "" {
		load = certificate.Files(o.CertDir)
	} else {
		err := m.Add(&certificate.Rotator{
			Client: m.GetClient(), APIReader: m.GetAPIReader(), Secret: secret, Configuration: webhookName,
			Names:        webhookDNSNames(namespace),
			FieldManager: controller.FieldManager, Labels: controller.Labels(), Clock: clock.RealClock{},
		})
		if err != nil {
			return err
		}
	}
	source := certificate.NewSource(clock.RealClock{}, load)
	if err := m.Add(source); err != nil {
		return err
	}
	if err := m.AddReadyzCheck("webhook", source.Ready); err != nil {
		return err
	}
	return m.Add(admission.Server{Address: o.Addr, Handler: admission.NewHandler(v), Certificate: source.Certificate, ClientCA: o.ClientCA})
}

// webhookDNSNames returns the names by which the API server calls the webhook:
// those of its Service, and those of an API server on the same machine.
func webhookDNSNames(namespace string) []string {
	name := webhookName + "." + namespace
	return []string{name + ".svc", name + ".svc.cluster.local", "localhost", "127.0.0.1"}
}
