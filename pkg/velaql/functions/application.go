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
	"fmt"
	"slices"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/common"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/compression"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// appQuery selects resources of an Application.
type appQuery struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Filter    filter `json:"filter"`
	// WithStatus requests the live objects instead of the applied ones.
	WithStatus bool `json:"withStatus"`
	// WithTree requests the resource trees.
	WithTree bool `json:"withTree"`
}

type filter struct {
	Cluster          string   `json:"cluster"`
	ClusterNamespace string   `json:"clusterNamespace"`
	Components       []string `json:"components"`
	APIVersion       string   `json:"apiVersion"`
	Kind             string   `json:"kind"`
	QueryNewest      bool     `json:"queryNewest"`
	// kinds are the requested kinds of tree nodes, instead of Kind.
	kinds []string
}

// resource is a resource that an Application deploys, as recorded in its
// ResourceTracker.
type resource struct {
	v1beta1.ManagedResource
	// tracker is nil for a resource from the Application's status.
	tracker *tracker
	latest  bool
}

// object returns the object of r; nil if it is not recorded.
func (r resource) object() (map[string]any, error) {
	if r.Data == nil {
		return nil, nil
	}
	if o, ok := r.Data.Object.(*unstructured.Unstructured); ok {
		return o.Object, nil
	}
	// Not by UnmarshalTo, which makes integers floating-point numbers.
	var object map[string]any
	if err := json.Unmarshal(r.Data.Raw, &object); err != nil {
		return nil, fmt.Errorf("ResourceTracker %s: %s: %w", r.tracker.Name, r.DisplayName(), err)
	}
	return object, nil
}

// tracker is a ResourceTracker.
type tracker struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		v1beta1.ResourceTrackerSpec `json:",inline"`
		// Compressed contains ManagedResources if KubeVela compresses them. It is newer than
		// ResourceTrackerSpec.
		Compressed struct {
			Type string `json:"type"`
			Data []byte `json:"data"`
		} `json:"compression"`
	} `json:"spec"`
}

// trackers are the ResourceTrackers of an Application: of the resources that all
// revisions share, of the current revision, and of earlier revisions, oldest first.
type trackers struct {
	root, current *tracker
	history       []*tracker
}

// deployed returns the resources that the Application deploys, in the order of the
// trackers that pick returns. If the identity may not list ResourceTrackers, it returns
// those in the status of the Application.
func (q Querier) deployed(ctx context.Context, query appQuery, pick func(trackers) []*tracker) ([]resource, error) {
	if query.Name == "" || query.Namespace == "" {
		return nil, fmt.Errorf("app: name and namespace are required")
	}
	app, err := q.get(ctx, v1beta1.ApplicationKindVersionKind, query.Namespace, query.Name)
	if err != nil {
		return nil, err
	}
	var all []resource
	found, err := q.trackers(ctx, app)
	switch {
	case apierrors.IsForbidden(err):
		if all, err = q.statusResources(ctx, app, query.Filter); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	for _, t := range pick(found) {
		if t == nil {
			continue
		}
		for _, r := range t.Spec.ManagedResources {
			all = append(all, resource{ManagedResource: r, tracker: t, latest: t == found.current})
		}
	}
	return slices.DeleteFunc(all, func(r resource) bool { return !query.Filter.includes(r) }), nil
}

// trackers returns the ResourceTrackers of app.
func (q Querier) trackers(ctx context.Context, app *unstructured.Unstructured) (trackers, error) {
	var out trackers
	objects, err := q.list(ctx, v1beta1.ResourceTrackerKindVersionKind, client.ListOptions{
		LabelSelector: labels.SelectorFromSet(labels.Set{oam.LabelAppName: app.GetName(), oam.LabelAppNamespace: app.GetNamespace()}),
	})
	if err != nil {
		return out, err
	}
	for _, o := range objects {
		if uid := o.GetLabels()[oam.LabelAppUID]; uid != "" && uid != string(app.GetUID()) {
			continue // of a deleted Application with the same name
		}
		t, err := newTracker(o)
		if err != nil {
			return out, fmt.Errorf("ResourceTracker %s: %w", o.GetName(), err)
		}
		switch {
		case t.Spec.Type == v1beta1.ResourceTrackerTypeRoot:
			out.root = t
		case t.Spec.Type != v1beta1.ResourceTrackerTypeVersioned:
		case t.isCurrentOf(app):
			out.current = t
		default:
			out.history = append(out.history, t)
		}
	}
	slices.SortFunc(out.history, func(a, b *tracker) int {
		return cmp.Compare(a.Spec.ApplicationGeneration, b.Spec.ApplicationGeneration)
	})
	return out, nil
}

// maxDecompressed is the maximum size of a decompressed ResourceTracker, in bytes.
const maxDecompressed = 64 << 20

func newTracker(o unstructured.Unstructured) (*tracker, error) {
	t := &tracker{}
	if err := convert(o.Object, t); err != nil {
		return nil, err
	}
	if t.Spec.Compressed.Type == "" {
		return t, nil
	}
	text, err := compression.Decompress(t.Spec.Compressed.Type, t.Spec.Compressed.Data, maxDecompressed)
	if err != nil {
		return nil, err
	}
	return t, json.Unmarshal(text, &t.Spec.ManagedResources)
}

// isCurrentOf reports whether t belongs to the current revision of app.
func (t *tracker) isCurrentOf(app *unstructured.Unstructured) bool {
	if version := oam.GetPublishVersion(app); version != "" {
		return t.version() == version
	}
	return t.Spec.ApplicationGeneration == app.GetGeneration()
}

// statusResources returns the resources in the status of app. Objects that may not be
// read are included only if f does not select components.
func (q Querier) statusResources(ctx context.Context, app *unstructured.Unstructured, f filter) ([]resource, error) {
	var a struct {
		Status struct {
			Applied []common.ClusterObjectReference `json:"appliedResources"`
		} `json:"status"`
	}
	if err := convert(app.Object, &a); err != nil {
		return nil, fmt.Errorf("status of Application %s: %w", objectName(app.GetNamespace(), app.GetName()), err)
	}
	var all []resource
	for _, applied := range a.Status.Applied {
		r := resource{ManagedResource: v1beta1.ManagedResource{ClusterObjectReference: applied}, latest: true}
		if multicluster.IsLocal(applied.Cluster) {
			o, err := q.get(ctx, r.GroupVersionKind(), r.Namespace, r.Name)
			switch {
			case apierrors.IsNotFound(err):
				continue
			case apierrors.IsForbidden(err) && len(f.Components) == 0:
				all = append(all, r)
				continue
			case err != nil:
				return nil, err
			}
			r.UID, r.OAMObjectReference = o.GetUID(), common.NewOAMObjectReferenceFromObject(o)
			r.Data = &runtime.RawExtension{Object: o}
		}
		all = append(all, r)
	}
	return all, nil
}

// includes reports whether f selects the cluster, namespace and component of r.
func (f filter) includes(r resource) bool {
	if f.Cluster != "" || f.ClusterNamespace != "" {
		if f.Cluster != r.Cluster && (f.Cluster != multicluster.Local || r.Cluster != "") {
			return false
		}
		if f.ClusterNamespace != "" && f.ClusterNamespace != r.Namespace {
			return false
		}
	}
	return len(f.Components) == 0 || slices.Contains(f.Components, r.Component)
}

// matchesKind reports whether f selects the kind.
func (f filter) matchesKind(apiVersion, kind string) bool {
	if len(f.kinds) > 0 {
		return slices.Contains(f.kinds, kind)
	}
	return (f.APIVersion == "" || f.APIVersion == apiVersion) && (f.Kind == "" || f.Kind == kind)
}
