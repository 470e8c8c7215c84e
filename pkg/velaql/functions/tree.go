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

package functions

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// maxDepth is the maximum depth of a tree below a deployed resource.
const maxDepth = 5

// node is an object with its tree of children.
type node struct {
	Cluster    string         `json:"cluster"`
	APIVersion string         `json:"apiVersion,omitempty"`
	Kind       string         `json:"kind"`
	Namespace  string         `json:"namespace,omitempty"`
	Name       string         `json:"name,omitempty"`
	UID        types.UID      `json:"uid,omitempty"`
	Health     health         `json:"healthStatus"`
	Created    time.Time      `json:"creationTimestamp"`
	Deleted    *time.Time     `json:"deletionTimestamp,omitempty"`
	Leaves     []*node        `json:"leafNodes,omitempty"`
	Additional map[string]any `json:"additionalInfo,omitempty"`

	object *unstructured.Unstructured
}

func newNode(cluster string, o *unstructured.Unstructured) (*node, error) {
	n := &node{
		Cluster: cmp.Or(cluster, multicluster.Local), APIVersion: o.GetAPIVersion(), Kind: o.GetKind(),
		Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(),
		Created: o.GetCreationTimestamp().UTC(), object: o,
	}
	if d := o.GetDeletionTimestamp(); d != nil {
		deleted := d.UTC()
		n.Deleted = &deleted
	}
	var err error
	n.Health, n.Additional, err = objectHealth(o)
	return n, err
}

// leaves calls visit for each leaf with its parent. The parent of the root is the root
// itself.
func (n *node) leaves(parent *node, visit func(parent, leaf *node)) {
	if len(n.Leaves) == 0 {
		visit(parent, n)
		return
	}
	for _, l := range n.Leaves {
		l.leaves(n, visit)
	}
}

// treeBuilder builds trees for one call. They contain the nodes that the filter selects,
// and their ancestors.
type treeBuilder struct {
	querier Querier
	filter  filter
	rules   []rule
	// cluster is the cluster of the tree.
	cluster string
}

func (q Querier) newTreeBuilder(ctx context.Context, f filter) (*treeBuilder, error) {
	rules, err := q.rules(ctx)
	return &treeBuilder{querier: q, filter: f, rules: rules}, err
}

// build returns the tree of r; nil if the object does not exist, or the filter selects
// no node.
func (b *treeBuilder) build(ctx context.Context, r resource) (*node, error) {
	kind := r.GroupVersionKind()
	if !b.leadsToMatch(kind, 1) {
		return nil, nil
	}
	querier, err := b.querier.inClusterOf(ctx, r.ClusterObjectReference)
	if err != nil {
		return nil, err
	}
	clusterBuilder := *b
	clusterBuilder.querier, clusterBuilder.cluster = querier, r.Cluster
	o, err := querier.get(ctx, kind, r.Namespace, r.Name)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return clusterBuilder.node(ctx, o, 1)
}

// leadsToMatch reports whether the filter selects the kind or one of its descendants.
// Other kinds are not read, so that they need no permissions.
func (b *treeBuilder) leadsToMatch(kind schema.GroupVersionKind, depth int) bool {
	if b.filter.matchesKind(kind.GroupVersion().String(), kind.Kind) {
		return true
	}
	return depth <= maxDepth && slices.ContainsFunc(b.rules, func(r rule) bool {
		return r.parent == kind.GroupKind() && b.leadsToMatch(r.child, depth+1)
	})
}

func (b *treeBuilder) node(ctx context.Context, o *unstructured.Unstructured, depth int) (*node, error) {
	n, err := newNode(b.cluster, o)
	if err != nil {
		return nil, err
	}
	if depth <= maxDepth {
		if n.Leaves, err = b.children(ctx, o, depth); err != nil {
			return nil, err
		}
	}
	if len(n.Leaves) == 0 && !b.filter.matchesKind(n.APIVersion, n.Kind) {
		return nil, nil
	}
	return n, nil
}

// children returns the child nodes of o.
func (b *treeBuilder) children(ctx context.Context, o *unstructured.Unstructured, depth int) ([]*node, error) {
	var nodes []*node
	seen := map[types.UID]bool{}
	for _, r := range b.rules {
		if r.parent != o.GroupVersionKind().GroupKind() || !b.leadsToMatch(r.child, depth+1) {
			continue
		}
		found, err := r.findChildren(ctx, b.querier, o)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if seen[found[i].GetUID()] {
				continue // the same object in another version of its kind
			}
			seen[found[i].GetUID()] = true
			n, err := b.node(ctx, &found[i], depth+1)
			if err != nil {
				return nil, err
			}
			if n != nil {
				nodes = append(nodes, n)
			}
		}
	}
	return nodes, nil
}

// findChildren returns the children of parent by the rule, sorted by name. It returns
// none if the kind is not installed.
func (r rule) findChildren(ctx context.Context, q Querier, parent *unstructured.Unstructured) ([]unstructured.Unstructured, error) {
	options, err := r.listOptions(parent)
	if err != nil {
		return nil, err
	}
	found, err := q.list(ctx, r.child, options)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(o unstructured.Unstructured) bool { return !r.isChild(parent, &o) })
	slices.SortFunc(found, func(a, b unstructured.Unstructured) int {
		return strings.Compare(objectName(a.GetNamespace(), a.GetName()), objectName(b.GetNamespace(), b.GetName()))
	})
	return found, nil
}

// isChild reports whether o, which listOptions select, is a child of parent.
func (r rule) isChild(parent, o *unstructured.Unstructured) bool {
	owners := o.GetOwnerReferences()
	for _, owner := range owners {
		if owner.UID == parent.GetUID() {
			return true
		}
	}
	return r.relation == byLabels || r.relation != byOwner && len(owners) == 0
}

func groupKind(group, kind string) schema.GroupKind {
	return schema.GroupKind{Group: group, Kind: kind}
}
