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
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

var update = flag.Bool("update", false, "write golden files")

// listRights returns the rights of a ServiceAccount in a namespace, sorted, in the format
// "resource [verbs] names". account is namespace/name.
func (i *installation) listRights(t *testing.T, account, namespace string) []string {
	t.Helper()
	accountNamespace, _, _ := strings.Cut(account, "/")
	user := "system:serviceaccount:" + strings.Replace(account, "/", ":", 1)
	client, err := kubernetes.NewForConfig(i.User(user, "system:serviceaccounts", "system:serviceaccounts:"+accountNamespace, "system:authenticated"))
	if err != nil {
		t.Fatal(err)
	}
	review, err := client.AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(), &authorizationv1.SelfSubjectRulesReview{
		Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if review.Status.Incomplete {
		t.Fatalf("rights of %s: got an incomplete list: %s", user, review.Status.EvaluationError)
	}
	var all []string
	for _, r := range review.Status.ResourceRules {
		slices.Sort(r.Verbs)
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				if group != "" {
					resource += "." + group
				}
				all = append(all, strings.TrimSpace(fmt.Sprintf("%s %v %s", resource, r.Verbs, strings.Join(r.ResourceNames, " "))))
			}
		}
	}
	for _, r := range review.Status.NonResourceRules {
		for _, url := range r.NonResourceURLs {
			all = append(all, fmt.Sprintf("%s %v", url, r.Verbs))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// rbacChanges are the rights of the controller to change RBAC.
var rbacChanges = []string{
	"clusterroles.rbac.authorization.k8s.io [bind get] kube-trigger-default kube-trigger-worker",
	"rolebindings.rbac.authorization.k8s.io [create get list patch watch] kube-trigger-default kube-trigger-impersonate kube-trigger-worker",
	"roles.rbac.authorization.k8s.io [bind create escalate get list patch watch] kube-trigger-impersonate",
}

// rights compares the rights of the controller and of workers with a golden file, except the
// rights that all ServiceAccounts have. Apart from exceptions that are listed here, the rights
// include no wildcards, no access to Secrets, no changes of RBAC and no impersonation. A
// ServiceAccount of a user needs only the rights to what its triggers watch and do.
func rights(t *testing.T, i *installation) {
	ns, other := i.Namespace(t), i.Namespace(t)
	own := attempt{identity{ns, "own"}, "own", identity{ns, "none"}}
	i.createIdentity(t, own.identity)
	i.apply(t, strings.Replace(stampDefinition(ns, writeTemplate), "trigger-action-stamp", "trigger-action-write", 1))
	i.apply(t, bumpTriggers(ns, "main", ""))
	i.apply(t, own.yaml(""))
	i.waitForReady(t, ns, "main")
	i.waitForReady(t, ns, "own")
	i.applyConfigMap(t, ns, "in-own", "1")
	i.waitForValue(t, ns, "out-own", "own", "1")
	var b strings.Builder
	for _, c := range []struct{ account, namespace, title string }{
		{"vela-system/kube-trigger-controller", "vela-system", "the controller, in vela-system"},
		{"vela-system/kube-trigger-controller", ns, "the controller, in any other namespace"},
		{ns + "/kube-trigger-worker", ns, "a worker itself, in its namespace"},
		{ns + "/kube-trigger-worker", other, "a worker itself, in any other namespace"},
		{ns + "/kube-trigger", ns, "triggers by default, in the namespace of their TriggerService"},
		{ns + "/kube-trigger", other, "triggers by default, in any other namespace"},
		{ns + "/own", ns, "triggers with a ServiceAccount of a user, in the namespace of their TriggerService"},
		{ns + "/own", other, "triggers with a ServiceAccount of a user, in any other namespace"},
	} {
		common := i.listRights(t, other+"/any", c.namespace)
		fmt.Fprintf(&b, "# %s\n", c.title)
		for _, right := range i.listRights(t, c.account, c.namespace) {
			if slices.Contains(common, right) {
				continue
			}
			fmt.Fprintln(&b, right)
			resource, suffix, _ := strings.Cut(right, " ")
			verbs, _, _ := strings.Cut(suffix, "] ")
			writes := slices.ContainsFunc([]string{"create", "update", "patch", "delete", "bind", "escalate", "impersonate"}, func(v string) bool { return strings.Contains(verbs, v) })
			switch {
			case strings.Contains(right, "*"):
				t.Errorf("%s: got right %q, want no wildcards", c.title, right)
			case (right == "secrets [create get patch] kube-trigger-webhook" || right == "secrets [create get patch] kube-trigger-signing-key") && strings.HasSuffix(c.title, "in vela-system"):
			case right == "secrets [get] hook-own": // the user's own
			case resource == "secrets":
				t.Errorf("%s: got right %q, want no access to Secrets", c.title, right)
			case strings.Contains(resource, "rbac.authorization.k8s.io") && writes && !slices.Contains(rbacChanges, right):
				t.Errorf("%s: got right %q, want no changes of RBAC", c.title, right)
			case strings.Contains(verbs, "impersonate") && right != "serviceaccounts [impersonate] kube-trigger own",
				strings.Contains(verbs, "escalate") && !slices.Contains(rbacChanges, right), resource == "serviceaccounts/token":
				t.Errorf("%s: got right %q, want no impersonation", c.title, right)
			}
		}
		fmt.Fprintln(&b)
	}
	const file = "testdata/rights.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("rights (-%s +got; -update rewrites the file):\n%s", file, diff)
	}
}
