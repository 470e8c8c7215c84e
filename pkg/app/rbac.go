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

package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/rights"
)

// RBACOptions configure RBAC.
type RBACOptions struct {
	DataflowOptions
	// Account is the ServiceAccount that gets the rights. Defaults to those of the
	// TriggerServices.
	Account string
}

// RBACResult is the result of RBAC.
type RBACResult struct {
	// Objects are Roles, ClusterRoles and their bindings, as JSON.
	Objects []map[string]any
	// Unknown says which rights cannot be derived, and why.
	Unknown []string
	// Notes say what to know about Objects.
	Notes []string
}

// RBAC returns the rights that the triggers of a configuration need, and no others.
func RBAC(ctx context.Context, o RBACOptions) (RBACResult, error) {
	flows, names, err := o.deriveFlows(ctx)
	if err != nil {
		return RBACResult{}, err
	}
	var out RBACResult
	byAccount := map[rights.Account][]rights.Right{}
	for _, f := range flows {
		account := cmp.Or(o.Account, f.Account)
		a := rights.Account{Namespace: f.Trigger.Namespace, Name: account, Role: account + "-triggers"}
		byAccount[a] = append(byAccount[a], f.Rights()...)
		for _, text := range f.Unknown {
			out.Unknown = append(out.Unknown, fmt.Sprintf("%s:%d: %s", f.Place.File, f.Place.Line, text))
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(byAccount), func(a, b rights.Account) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	}) {
		list := byAccount[a]
		for _, role := range rights.Roles(a, append(list, hubRights(list)...), names) {
			object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(role)
			if err != nil {
				return RBACResult{}, err
			}
			unstructured.RemoveNestedField(object, "metadata", "creationTimestamp") // null
			out.Objects = append(out.Objects, object)
		}
		out.Notes = append(out.Notes, clusterNotes(list)...)
		for _, r := range rights.Minimal(list) {
			kind := r.GroupVersionKind()
			if resource := names.Resource(kind); resource.Guessed {
				out.Notes = append(out.Notes, fmt.Sprintf("the resource %s.%s of the kind %s is guessed; give its CustomResourceDefinition with --schemas", resource.Name, kind.Group, kind.Kind))
			}
		}
	}
	slices.Sort(out.Notes)
	out.Notes = slices.Compact(out.Notes)
	return out, nil
}

// clusterNotes says which rights are those in other clusters.
func clusterNotes(list []rights.Right) []string {
	var out []string
	for _, r := range rights.Minimal(rights.InClusters(list)) {
		out = append(out, "in joined clusters: "+r.Text()+"; with ClientIdentityPenetration of cluster-gateway, give it there")
	}
	return out
}

// hubRights returns the rights to cluster-gateway that rights in joined clusters need.
func hubRights(list []rights.Right) []rights.Right {
	gateway := schema.GroupVersion{Group: "cluster.core.oam.dev", Version: "v1alpha1"}
	var out []rights.Right
	for _, r := range rights.InClusters(list) {
		joined := rights.Of(gateway.WithKind("VirtualCluster"), "get")
		proxy := rights.Of(gateway.WithKind("ClusterGateway"), proxyVerbs(r.Verbs)...)
		proxy.Subresource = "proxy"
		if r.Cluster == rights.AnyCluster {
			joined.Verbs = append(joined.Verbs, "list")
		} else {
			joined.Name, proxy.Name = r.Cluster, r.Cluster
		}
		out = append(out, joined, proxy)
	}
	return out
}

// proxyVerbs returns the verbs of HTTP for verbs.
func proxyVerbs(verbs []string) []string {
	methods := map[string]string{"list": "get", "watch": "get", "deletecollection": "delete"}
	var out []string
	for _, v := range verbs {
		out = append(out, cmp.Or(methods[v], v))
	}
	return out
}
