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
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// webhookPort is the port for webhooks, of a dedicated worker and of each Service.
const webhookPort = 8090

// hasWebhook reports whether a trigger of ts is a webhook.
func hasWebhook(ts *v1alpha1.TriggerService) bool {
	return slices.ContainsFunc(ts.Spec.Triggers, func(t v1alpha1.Trigger) bool { return t.Source.Type == webhook.Type })
}

// webhookPort returns the port of the webhooks of ts in the worker of its namespace, or 0 if
// none is free.
func (r *reconciler) webhookPort(ctx context.Context, ts *v1alpha1.TriggerService) (int32, error) {
	var services corev1.ServiceList
	if err := r.client.List(ctx, &services, client.InNamespace(ts.Namespace), client.MatchingLabels(Labels())); err != nil {
		return 0, fmt.Errorf("list Services in namespace %q: %w", ts.Namespace, err)
	}
	used := map[int32]string{}
	for i := range services.Items {
		s := &services.Items[i]
		if owner := metav1.GetControllerOf(s); owner != nil && s.Spec.Selector[WorkerLabel] != "" && len(s.Spec.Ports) > 0 {
			used[s.Spec.Ports[0].TargetPort.IntVal] = owner.Name
		}
	}
	return r.webhookPorts.assign(client.ObjectKeyFromObject(ts), used), nil
}

// reconcileWebhookService applies the Service for the webhooks of ts, or deletes it if
// ts has no webhook trigger. It has the same name and port wherever ts runs. template is that
// of its worker, and target the port there; 0 for webhookPort.
func (r *reconciler) reconcileWebhookService(ctx context.Context, ts *v1alpha1.TriggerService, template string, target int32) error {
	s := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ts.Namespace, Name: trigger.WebhookServiceName(ts.Name),
			Labels: serviceLabels(ts), OwnerReferences: []metav1.OwnerReference{ownerReference(ts, true)},
		},
		Spec: corev1.ServiceSpec{
			Selector: workerLabels(ts, template),
			Ports: []corev1.ServicePort{{
				Name: "webhooks", Protocol: corev1.ProtocolTCP, Port: webhookPort, TargetPort: intstr.FromInt32(cmp.Or(target, webhookPort)),
			}},
		},
	}
	if hasWebhook(ts) {
		return r.apply(ctx, s, &corev1.Service{}, controlledBy(ts))
	}
	return r.delete(ctx, s, controlledBy(ts))
}
