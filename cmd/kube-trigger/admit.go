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

package main

import (
	"github.com/spf13/pflag"
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

// WebhookOptions are the flags of the validating webhook.
type WebhookOptions struct {
	Enabled       bool
	Addr, CertDir string
}

func (o *WebhookOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.Enabled, "webhook", false, "serve the validating webhook, which refuses what is invalid before it is written")
	f.StringVar(&o.Addr, "webhook-addr", ":9443", "where the validating webhook is called")
	f.StringVar(&o.CertDir, "webhook-cert-dir", "", "a folder with the webhook's certificate, tls.crt, and its key, tls.key, which somebody else replaces in time; by default the controller makes its own, and lets the API server trust it")
}

// add adds the webhook to m, if it is on.
func (o *WebhookOptions) add(m ctrl.Manager, namespace string, r admission.Validator) error {
	if !o.Enabled {
		return nil
	}
	secret := types.NamespacedName{Namespace: namespace, Name: webhookName}
	read := certificate.FromSecret(m.GetAPIReader(), secret)
	if o.CertDir != "" {
		read = certificate.Files(o.CertDir)
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
	serving := certificate.NewSource(clock.RealClock{}, read)
	if err := m.Add(serving); err != nil {
		return err
	}
	if err := m.AddReadyzCheck("webhook", serving.Ready); err != nil {
		return err
	}
	return m.Add(admission.Server{Address: o.Addr, Handler: admission.NewHandler(r), Certificate: serving.Certificate})
}

// webhookDNSNames are what the API server calls the webhook, by its Service or, where
// both are on one machine, without.
func webhookDNSNames(namespace string) []string {
	name := webhookName + "." + namespace
	return []string{name + ".svc", name + ".svc.cluster.local", "localhost", "127.0.0.1"}
}
