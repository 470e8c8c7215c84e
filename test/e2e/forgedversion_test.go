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
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// forgedVersion tests that a worker ignores an accepted version that a tenant has changed,
// and says so, that the controller replaces it, and that what ran before continues.
func forgedVersion(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.createApplication(t, ns, "web")
	i.applyConfigMap(t, ns, "web", "0")
	i.apply(t, bumpTriggers(ns, "main", ""))
	i.waitForReady(t, ns, "main")
	d := &corev1alpha1.Definition{}
	key := types.NamespacedName{Namespace: ns, Name: "kube-trigger-main"}
	if err := i.admin.Get(t.Context(), key, d); err != nil {
		t.Fatal(err)
	}
	forged := d.DeepCopy()
	for name, text := range d.Spec.Templates {
		forged.Spec.Templates[name] = strings.ReplaceAll(text, "^web", "^forged")
	}
	if err := i.admin.Update(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "the event of the worker", func(ctx context.Context) error {
		var events corev1.EventList
		if err := i.admin.List(ctx, &events, client.InNamespace(ns)); err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.Reason == "VersionIgnored" && strings.Contains(e.Message, "not signed by the controller") {
				return nil
			}
		}
		return fmt.Errorf("got %d events, none with the reason VersionIgnored", len(events.Items))
	})
	cluster.Eventually(t, "the signed version", func(ctx context.Context) error {
		var got corev1alpha1.Definition
		if err := i.admin.Get(ctx, key, &got); err != nil {
			return err
		}
		for name, text := range d.Spec.Templates {
			if got.Spec.Templates[name] != text {
				return fmt.Errorf("%s is forged", name)
			}
		}
		return nil
	})
	i.applyConfigMap(t, ns, "web", "1")
	i.waitForVersion(t, ns, "web", "2")
	if starts := i.singlePod(t, ns).Starts(); starts != 1 {
		t.Errorf("got %d starts of the worker, want 1", starts)
	}
}
