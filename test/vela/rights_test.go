//go:build kubevela

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

package vela_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// derivedRights tests that the actions of the trait trigger act without the parameter rights,
// and that their account has the rights that they need and no others.
func derivedRights(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Install(t, vela.WorkflowRunCRD(t))
	k.applySettings(t, ns, "blue", "a")
	k.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: hook}\nstringData: {url: 'http://127.0.0.1:1/'}", ns))
	k.Apply(t, application(ns, "acting", component("web", true, strings.ReplaceAll(`{type: trigger, properties: {triggers: [{
          name: act, retry: {limit: 0},
          actions: [
            {type: patch-resource, properties: {resource: {apiVersion: v1, kind: ConfigMap, name: settings, namespace: NS}, patch: {data: {metadata: {annotations: {marked: "yes"}}}}}},
            {type: restart-workload, properties: {kind: Deployment, name: web}},
            {type: start-workflow, properties: {steps: [{name: none, type: suspend}]}},
            {type: http-request, properties: {urlFrom: {secretRef: {name: hook}}}}
          ]
        }]}}`, "NS", ns))))
	k.waitForRevision(t, ns, "acting", 1)
	k.waitForStatus(t, ns, "acting", "Running: 1/1 triggers")
	if diff := cmp.Diff([]string{
		"configmaps [get list watch] settings",
		"configmaps [patch] settings",
		"deployments.apps [get patch] web",
		"secrets [get] hook",
		"workflowruns.core.oam.dev [create]",
	}, k.ownRights(t, ns, "acting-web-trigger")); diff != "" {
		t.Error(diff)
	}

	k.applySettings(t, ns, "green", "a")
	k.expectAnnotation(t, ns)
	cluster.Eventually(t, "restarted Deployment and WorkflowRun", func(ctx context.Context) error {
		at, _, _ := unstructured.NestedString(k.get(t, "apps/v1", "Deployment", ns, "web").Object,
			"spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
		runs, err := k.names(ctx, ns, "core.oam.dev/v1alpha1", "WorkflowRun")
		if err == nil && (at == "" || len(runs) != 1) {
			err = fmt.Errorf("got restart %q and WorkflowRuns %v", at, runs)
		}
		return err
	})
	// The Secret is read; workers do not connect to themselves.
	k.waitForStatus(t, ns, "acting", "gave up 1: ")
	k.waitForStatus(t, ns, "acting", "127.0.0.1")

	k.deleteDeadLetters(t, ns)
	k.deleteApplications(t, ns, "acting")
}

// ownRights returns the rights of a ServiceAccount in its namespace that other ServiceAccounts
// do not have, sorted, in the format "resource [verbs] names".
func (k env) ownRights(t *testing.T, namespace, account string) []string {
	t.Helper()
	list := func(account string) []string {
		user := k.User("system:serviceaccount:"+namespace+":"+account, "system:serviceaccounts", "system:authenticated")
		client, err := kubernetes.NewForConfig(user)
		if err != nil {
			t.Fatal(err)
		}
		review, err := client.AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(), &authorizationv1.SelfSubjectRulesReview{
			Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, r := range review.Status.ResourceRules {
			resource := strings.TrimSuffix(strings.Join(r.Resources, ",")+"."+strings.Join(r.APIGroups, ","), ".")
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %v %s", resource, r.Verbs, strings.Join(r.ResourceNames, " "))))
		}
		slices.Sort(out)
		return slices.Compact(out) // two Roles may give one right
	}
	common := list("none")
	return slices.DeleteFunc(list(account), func(right string) bool { return slices.Contains(common, right) })
}
