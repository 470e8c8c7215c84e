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
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestNetworkPolicies: the API server accepts the shipped NetworkPolicies, which select the
// pods of the controller and of workers, and open their ports except those of probes.
func TestNetworkPolicies(t *testing.T) {
	ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "main"}}
	worker, problems := workload.Deployment(workload.Dedicated(), workload.Input{
		Name: "main", Namespace: "team-a", ServiceAccount: "main", Service: "main", Image: "image", Labels: serviceLabels(ts),
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c := cluster.Start(t)
	admin, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for file, tt := range map[string]struct {
		pod   corev1.PodTemplateSpec
		ports []string
	}{
		"controller.yaml": {controllerDeployment(t).Spec.Template, []string{"metrics", "webhook"}},
		"worker.yaml":     {worker.Spec.Template, []string{"metrics", "webhooks"}},
	} {
		text, err := os.ReadFile("../../addon/network/" + file)
		if err != nil {
			t.Fatal(err)
		}
		policy := &networkingv1.NetworkPolicy{}
		if err := yaml.UnmarshalStrict(text, policy); err != nil {
			t.Fatal(err)
		}
		policy.Namespace = c.Namespace(t)
		if err := admin.Create(t.Context(), policy); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		if err != nil {
			t.Fatal(err)
		}
		if pod := labels.Set(tt.pod.Labels); !selector.Matches(pod) {
			t.Errorf("%s: got selector %s, want one that matches %s", file, selector, pod)
		}
		var open []string
		for _, rule := range policy.Spec.Ingress {
			for _, port := range rule.Ports {
				for _, p := range tt.pod.Spec.Containers[0].Ports {
					if p.ContainerPort == port.Port.IntVal {
						open = append(open, p.Name)
					}
				}
			}
		}
		if !slices.Equal(open, tt.ports) {
			t.Errorf("%s: got open ports %v, want %v", file, open, tt.ports)
		}
	}
}

// controllerDeployment returns the Deployment of the shipped manifests.
func controllerDeployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	text, err := os.ReadFile("../../addon/manifests/controller.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		d := &appsv1.Deployment{}
		if err := yaml.Unmarshal([]byte(document), d); err != nil {
			t.Fatal(err)
		}
		if d.Kind == "Deployment" {
			return d
		}
	}
	t.Fatal("got no Deployment in controller.yaml")
	return nil
}
