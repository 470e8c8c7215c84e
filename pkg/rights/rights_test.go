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

package rights_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestNames_Resource compares the resources of all kinds of Kubernetes, KubeVela and kube-trigger
// with what the API server says.
func TestNames_Resource(t *testing.T) {
	c := cluster.Start(t, cluster.WithKubeVelaCRDs())
	_, lists, err := c.Client(t).Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	for _, l := range lists {
		for _, r := range l.APIResources {
			if strings.Contains(r.Name, "/") {
				continue // a subresource
			}
			kinds++
			gv, err := schema.ParseGroupVersion(l.GroupVersion)
			if err != nil {
				t.Fatal(err)
			}
			want := rights.Resource{Name: r.Name, ClusterScoped: !r.Namespaced}
			if got := (rights.Names{}).Resource(gv.WithKind(r.Kind)); got != want {
				t.Errorf("%s %s: got %+v, want %+v", l.GroupVersion, r.Kind, got, want)
			}
		}
	}
	if kinds < 60 {
		t.Errorf("got %d kinds, want those of the API server", kinds)
	}
}

func TestReadNames(t *testing.T) {
	const crds = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec: {group: example.com, scope: Cluster, names: {kind: Octopus, plural: octopodes}}
---
apiVersion: v1
kind: ConfigMap
`
	names, err := rights.ReadNames([]byte(crds))
	if err != nil {
		t.Fatal(err)
	}
	octopus := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Octopus"}
	if got, want := names.Resource(octopus), (rights.Resource{Name: "octopodes", ClusterScoped: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := (rights.Names{}).Resource(octopus), (rights.Resource{Name: "octopuses", Guessed: true}); got != want {
		t.Errorf("without the definition: got %+v, want %+v", got, want)
	}
	if _, err := rights.ReadNames([]byte("a: {")); err == nil {
		t.Error("got no error for invalid YAML")
	}
}

// TestRoles gives each right once, in the smallest place.
func TestRoles(t *testing.T) {
	right := func(kind, namespace, name string, verbs ...string) rights.Right {
		return rights.Right{APIVersion: "v1", Kind: kind, Namespace: namespace, Name: name, Verbs: verbs}
	}
	objects := rights.Roles(rights.Account{Namespace: "a", Name: "robot", Role: "robot-triggers"}, []rights.Right{
		right("ConfigMap", "a", "x", "get", "create", "patch"), right("ConfigMap", "a", "y", "patch", "get"), right("ConfigMap", "a", "x", "get"),
		right("Secret", "b", "", "get"), right("Secret", "b", "token", "get", "delete"),
		right("Pod", "", "", "list", "watch"), right("Pod", "b", "web", "list"),
		right("Namespace", "a", "a", "get"),
		{APIVersion: "v1", Kind: "Node", Cluster: "eu", Verbs: []string{"list"}},
	}, nil)
	got := map[string][]string{}
	for _, o := range objects {
		var rules []rbacv1.PolicyRule
		var name string
		switch o := o.(type) {
		case *rbacv1.Role:
			rules, name = o.Rules, o.Namespace+"/"+o.Name
		case *rbacv1.ClusterRole:
			rules, name = o.Rules, o.Name
		case *rbacv1.RoleBinding:
			if o.Subjects[0].Namespace != "a" || o.Subjects[0].Name != "robot" || o.RoleRef.Name != o.Name {
				t.Errorf("got binding %+v", o)
			}
		case *rbacv1.ClusterRoleBinding:
			if o.Subjects[0].Namespace != "a" || o.Subjects[0].Name != "robot" || o.RoleRef.Name != o.Name {
				t.Errorf("got binding %+v", o)
			}
		}
		for _, r := range rules {
			got[name] = append(got[name], strings.TrimSpace(strings.Join(slices.Concat(r.Resources, r.Verbs, r.ResourceNames), " ")))
		}
	}
	want := map[string][]string{
		"a-robot-triggers": {"namespaces get a", "pods list watch"},
		"a/robot-triggers": {"configmaps create", "configmaps get patch x y"},
		"b/robot-triggers": {"secrets get", "secrets delete token"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
