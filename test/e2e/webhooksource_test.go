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

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// webhookSource tests that the controller creates a Service for a TriggerService with a webhook
// source, that the worker serves the port of the Service, and that the Service is deleted
// with the source or the TriggerService.
func webhookSource(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	const trigger = `    - name: hook
      source: {type: webhook, properties: {auth: none}}
      action: {type: bump-application-revision, properties: {nameSelector: {fromLabel: none}}}
`
	i.apply(t, bumpTriggers(ns, "main", trigger))
	i.waitForReady(t, ns, "main")
	s := i.webhookService(t, ns)
	worker := &appsv1.Deployment{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: ns, Name: "kube-trigger"}, worker); err != nil {
		t.Fatal(err)
	}
	if !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(worker.Spec.Template.Labels)) {
		t.Errorf("got selector %v, want one that matches the labels %v", s.Spec.Selector, worker.Spec.Template.Labels)
	}
	if len(s.Spec.Ports) != 1 || s.Spec.Ports[0].Port != 8090 {
		t.Fatalf("got ports %+v, want 8090", s.Spec.Ports)
	}
	pod := i.singlePod(t, ns)
	cluster.Eventually(t, "response of the worker", func(ctx context.Context) error {
		url := "http://" + pod.Address(s.Spec.Ports[0].TargetPort.IntVal) + "/" + ns + "/hook"
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"a": 1}`))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusAccepted {
			return fmt.Errorf("got status %s, want %d", response.Status, http.StatusAccepted)
		}
		return nil
	})

	i.apply(t, bumpTriggers(ns, "main", ""))
	i.waitForDeletion(t, ns, &corev1.ServiceList{})
	i.apply(t, bumpTriggers(ns, "main", trigger))
	i.webhookService(t, ns)
	ts, err := i.triggerService(t.Context(), ns, "main")
	if err != nil {
		t.Fatal(err)
	}
	if err := i.admin.Delete(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	i.waitForDeletion(t, ns, &corev1.ServiceList{})

	conflict := i.Namespace(t)
	i.apply(t, fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {namespace: %s, name: kube-trigger-main}\nspec: {ports: [{port: 1}]}", conflict))
	i.apply(t, bumpTriggers(conflict, "main", trigger))
	i.waitForService(t, conflict, "main", hasCondition(v1alpha1.ConditionWorkerAvailable, "False", v1alpha1.ReasonNameConflict))
}

// webhookService waits for the Service of the TriggerService main, and returns it.
func (i *installation) webhookService(t *testing.T, namespace string) *corev1.Service {
	t.Helper()
	s := &corev1.Service{}
	cluster.Eventually(t, "Service kube-trigger-main", func(ctx context.Context) error {
		return i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "kube-trigger-main"}, s)
	})
	return s
}
