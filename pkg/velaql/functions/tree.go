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
)

// maxDepth is how far a tree grows from what an Application deploys.
const maxDepth = 5

// node is an object, and what becomes of it.
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
		Cluster: cmp.Or(cluster, localCluster), APIVersion: o.GetAPIVersion(), Kind: o.GetKind(),
		Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(),
		Created: o.GetCreationTimestamp().UTC(), object: o,
	}
	if d := o.GetDeletionTimestamp(); d != nil {
		at := d.UTC()
		n.Deleted = &at
	}
	var err error
	n.Health, n.Additional, err = objectHealth(o)
	return n, err
}

// leaves calls visit for each node that nothing becomes of, with the node that it
// comes of; the root comes of itself.
func (n *node) leaves(parent *node, visit func(parent, leaf *node)) {
	if len(n.Leaves) == 0 {
		visit(parent, n)
		return
	}
	for _, l := range n.Leaves {
		l.leaves(n, visit)
	}
}

// treeBuilder grows trees for one call, of nodes that are asked for, and of what leads
// to them.
type treeBuilder struct {
	querier Querier
	filter  filter
	rules   []rule
	// cluster is that of the tree that grows.
	cluster string
}

func (q Querier) newTreeBuilder(ctx context.Context, f filter) (*treeBuilder, error) {
	rules, err := q.rules(ctx)
	return &treeBuilder{querier: q, filter: f, rules: rules}, err
}

// build returns the tree of r; nil where there is no such object any more, or
// nothing that is asked for.
func (g *treeBuilder) build(ctx context.Context, r resource) (*node, error) {
	kind := r.groupVersionKind()
	if !g.leadsToMatch(kind, 1) {
		return nil, nil
	}
	in, err := g.querier.inClusterOf(ctx, r)
	if err != nil {
		return nil, err
	}
	there := *g
	there.querier, there.cluster = in, r.Cluster
	o, err := in.get(ctx, kind, r.Namespace, r.Name)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return there.node(ctx, o, 1)
}

// leadsToMatch reports whether objects of the kind are asked for, or become what is. Others
// are not even read: nobody needs rights to them.
func (g *treeBuilder) leadsToMatch(kind schema.GroupVersionKind, depth int) bool {
	if g.filter.matchesKind(kind.GroupVersion().String(), kind.Kind) {
		return true
	}
	return depth <= maxDepth && slices.ContainsFunc(g.rules, func(r rule) bool {
		return r.parent == kind.GroupKind() && g.leadsToMatch(r.child, depth+1)
	})
}

func (g *treeBuilder) node(ctx context.Context, o *unstructured.Unstructured, depth int) (*node, error) {
	n, err := newNode(g.cluster, o)
	if err != nil {
		return nil, err
	}
	if depth <= maxDepth {
		if n.Leaves, err = g.children(ctx, o, depth); err != nil {
			return nil, err
		}
	}
	if len(n.Leaves) == 0 && !g.filter.matchesKind(n.APIVersion, n.Kind) {
		return nil, nil
	}
	return n, nil
}

// children returns the nodes of what becomes of o.
func (g *treeBuilder) children(ctx context.Context, o *unstructured.Unstructured, depth int) ([]*node, error) {
	var nodes []*node
	seen := map[types.UID]bool{}
	for _, r := range g.rules {
		if r.parent != o.GroupVersionKind().GroupKind() || !g.leadsToMatch(r.child, depth+1) {
			continue
		}
		found, err := r.findChildren(ctx, g.querier, o)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if seen[found[i].GetUID()] {
				continue // of another version of its kind
			}
			seen[found[i].GetUID()] = true
			n, err := g.node(ctx, &found[i], depth+1)
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

// findChildren returns the objects of the rule's kind that become of parent, sorted. There
// are none of a kind that is not installed.
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

// isChild reports whether o, which the rule selects, becomes of parent.
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
