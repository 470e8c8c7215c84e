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

	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// appliedResource is a resource that an Application deploys, without the object.
type appliedResource struct {
	Cluster         string    `json:"cluster"`
	Component       string    `json:"component"`
	Trait           string    `json:"trait"`
	Kind            string    `json:"kind"`
	Namespace       string    `json:"namespace,omitempty"`
	Name            string    `json:"name,omitempty"`
	UID             types.UID `json:"uid,omitempty"`
	APIVersion      string    `json:"apiVersion,omitempty"`
	ResourceVersion string    `json:"resourceVersion,omitempty"`
	DeployVersion   string    `json:"deployVersion,omitempty"`
	PublishVersion  string    `json:"publishVersion,omitempty"`
	Revision        string    `json:"revision,omitempty"`
	Latest          bool      `json:"latest"`
	Tree            *node     `json:"resourceTree,omitempty"`
}

// deployedObject is an object that an Application deploys.
type deployedObject struct {
	Cluster   string         `json:"cluster"`
	Component string         `json:"component"`
	Revision  string         `json:"revision"`
	Object    map[string]any `json:"object"`
}

// collectedObject is a leaf of the tree of a resource that an Application deploys.
type collectedObject struct {
	Cluster        string         `json:"cluster"`
	Workload       workload       `json:"workload"`
	Component      string         `json:"component"`
	Object         map[string]any `json:"object"`
	PublishVersion string         `json:"publishVersion"`
	DeployVersion  string         `json:"deployVersion"`
}

// workload identifies the parent of an object, or the object itself if it has none.
type workload struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Namespace  string `json:"namespace"`
}

// deployedObjects implements listResourcesInApp. An object of several revisions is
// returned once, as in the newest.
func (q Querier) deployedObjects(ctx context.Context, query appQuery) ([]deployedObject, error) {
	all, err := q.deployed(ctx, query, func(t trackers) []*tracker {
		return append([]*tracker{t.root, t.current}, t.history...)
	})
	if err != nil {
		return nil, err
	}
	list, seen := []deployedObject{}, map[string]bool{}
	for _, r := range all {
		if seen[r.ResourceKey()] || !query.Filter.matchesKind(r.APIVersion, r.Kind) {
			continue
		}
		seen[r.ResourceKey()] = true
		object, err := r.object()
		if err != nil {
			return nil, err
		}
		if object == nil || query.WithStatus {
			querier, err := q.inClusterOf(ctx, r.ClusterObjectReference)
			if err != nil {
				return nil, err
			}
			o, err := querier.get(ctx, r.GroupVersionKind(), r.Namespace, r.Name)
			if apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			object = o.Object
		}
		list = append(list, deployedObject{
			Cluster: cmp.Or(r.Cluster, multicluster.Local), Component: r.Component, Revision: r.tracker.version(), Object: object,
		})
	}
	return list, nil
}

// version returns the publishVersion of t, which may be nil.
func (t *tracker) version() string {
	if t == nil {
		return ""
	}
	return t.Annotations[oam.AnnotationPublishVersion]
}

// appliedResources implements listAppliedResources. With trees, each object is returned
// once, and only if it exists.
func (q Querier) appliedResources(ctx context.Context, query appQuery) ([]appliedResource, error) {
	all, err := q.deployed(ctx, query, func(t trackers) []*tracker {
		if query.Filter.QueryNewest {
			t.history = nil
		}
		return append(t.history, t.root, t.current)
	})
	if err != nil {
		return nil, err
	}
	var builder *treeBuilder
	if query.WithTree {
		if builder, err = q.newTreeBuilder(ctx, query.Filter); err != nil {
			return nil, err
		}
	}
	list, seen := []appliedResource{}, map[string]bool{}
	for _, r := range all {
		a, err := r.applied()
		if err != nil {
			return nil, err
		}
		if !query.WithTree {
			if query.Filter.matchesKind(r.APIVersion, r.Kind) {
				list = append(list, a)
			}
			continue
		}
		if seen[r.ResourceKey()] {
			continue
		}
		seen[r.ResourceKey()] = true
		if a.Tree, err = builder.build(ctx, r); err != nil {
			return nil, err
		}
		if a.Tree != nil {
			list = append(list, a)
		}
	}
	return list, nil
}

func (r resource) applied() (appliedResource, error) {
	a := appliedResource{
		Cluster: cmp.Or(r.Cluster, multicluster.Local), Component: r.Component, Trait: r.Trait,
		APIVersion: r.APIVersion, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name,
		UID: r.UID, ResourceVersion: r.ResourceVersion,
		PublishVersion: r.tracker.version(), Latest: r.latest,
	}
	if r.tracker != nil {
		a.Revision = r.tracker.Labels[oam.LabelAppRevision]
	}
	object, err := r.object()
	if object != nil {
		a.DeployVersion = oam.GetDeployVersion(&unstructured.Unstructured{Object: object})
	}
	return a, err
}

// collectObjects implements collectResources: it returns the leaves of the requested kind.
func (q Querier) collectObjects(ctx context.Context, query appQuery) ([]collectedObject, error) {
	query.WithTree = true
	all, err := q.appliedResources(ctx, query)
	if err != nil {
		return nil, err
	}
	list := []collectedObject{}
	for _, a := range all {
		a.Tree.leaves(a.Tree, func(parent, leaf *node) {
			if !query.Filter.matchesKind(leaf.APIVersion, leaf.Kind) {
				return
			}
			annotations := leaf.object.GetAnnotations()
			list = append(list, collectedObject{
				Cluster: a.Cluster, Component: a.Component, Object: leaf.object.Object,
				Workload:       workload{parent.APIVersion, parent.Kind, parent.Name, parent.Namespace},
				PublishVersion: cmp.Or(annotations[oam.AnnotationPublishVersion], a.PublishVersion),
				DeployVersion:  cmp.Or(annotations[oam.AnnotationDeployVersion], a.DeployVersion),
			})
		})
	}
	return list, nil
}
