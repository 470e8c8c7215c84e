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

package controller

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// webhookPort is the port for webhooks, of the worker and of its Service.
const webhookPort = 8090

// reconcileWebhookService applies the Service for the webhooks of ts, or deletes it if
// ts has no webhook trigger.
func (r *reconciler) reconcileWebhookService(ctx context.Context, ts *v1alpha1.TriggerService) error {
	s := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ts.Namespace, Name: trigger.WebhookServiceName(ts.Name),
			Labels: workerLabels(ts), OwnerReferences: []metav1.OwnerReference{ownerReference(ts, true)},
		},
		Spec: corev1.ServiceSpec{
			Selector: workerLabels(ts),
			Ports: []corev1.ServicePort{{
				Name: "webhooks", Protocol: corev1.ProtocolTCP, Port: webhookPort, TargetPort: intstr.FromInt32(webhookPort),
			}},
		},
	}
	hasWebhook := slices.ContainsFunc(ts.Spec.Triggers, func(t v1alpha1.Trigger) bool { return t.Source.Type == webhook.Type })
	if hasWebhook {
		return r.apply(ctx, s, &corev1.Service{}, controlledBy(ts))
	}
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(s), s); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !metav1.IsControlledBy(s, ts) {
		return nil
	}
	return r.remove(ctx, s)
}
