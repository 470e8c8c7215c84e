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
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/source/webhook"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// sharedWorker finds the worker of a TriggerService that has none of its own, and
// removes one that it had.
func (r *reconciler) sharedWorker(ctx context.Context, ts *v1alpha1.TriggerService, found *findings) error {
	found.worker = unsharable(ts)
	own := &appsv1.Deployment{}
	err := r.client.Get(ctx, types.NamespacedName{Namespace: ts.Namespace, Name: trigger.WorkerName(ts.Name)}, own)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("get Deployment: %w", err)
	}
	if err == nil && metav1.IsControlledBy(own, ts) {
		if err := r.remove(ctx, own); err != nil {
			return err
		}
	}
	for _, namespace := range r.SystemNamespaces {
		d := &appsv1.Deployment{}
		err := r.client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: SharedName}, d)
		if err == nil {
			found.deployment = d
			return nil
		}
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("get Deployment %q: %w", SharedName, err)
		}
	}
	found.absent = errors.New("the shared worker, Deployment \"" + SharedName + "\", is not installed")
	return nil
}

// unsharable returns what ts has that the shared worker does not do.
func unsharable(ts *v1alpha1.TriggerService) diag.List {
	var list diag.List
	if ts.Spec.ServiceAccountName != "" && ts.Spec.ServiceAccountName != AccountName {
		list.Add("spec.serviceAccountName", "the shared worker acts as %q alone", AccountName)
	}
	if ts.Spec.Worker.Properties != nil {
		list.Add("spec.worker.properties", "the shared worker has none")
	}
	for i, t := range ts.Spec.Triggers {
		if t.Source.Type == webhook.Type {
			list.Add(fmt.Sprintf("spec.triggers[%d].source.type", i), "webhooks need a worker of their own")
		}
	}
	return list
}
