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

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/compression"
)

// Labels and annotations of KubeVela.
const (
	labelName      = "app.oam.dev/name"
	labelNamespace = "app.oam.dev/namespace"
	labelRevision  = "app.oam.dev/appRevision"
	labelUID       = "app.oam.dev/uid"
	labelComponent = "app.oam.dev/component"
	labelTrait     = "trait.oam.dev/type"
	publishVersion = "app.oam.dev/publishVersion"
	deployVersion  = "app.oam.dev/deployVersion"
)

// localCluster is KubeVela's name of the hub cluster.
const localCluster = "local"

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
	Cluster         string         `json:"cluster"`
	APIVersion      string         `json:"apiVersion"`
	Kind            string         `json:"kind"`
	Namespace       string         `json:"namespace"`
	Name            string         `json:"name"`
	UID             types.UID      `json:"uid"`
	ResourceVersion string         `json:"resourceVersion"`
	Component       string         `json:"component"`
	Trait           string         `json:"trait"`
	Raw             map[string]any `json:"raw"`
	// tracker is nil for a resource from the Application's status.
	tracker *tracker
	latest  bool
}

func (r resource) groupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(r.APIVersion, r.Kind)
}

// identity returns a key of the object, which is equal in all ResourceTrackers.
func (r resource) identity() string {
	return fmt.Sprint(r.Cluster, " ", r.APIVersion, " ", r.Kind, " ", objectName(r.Namespace, r.Name))
}

// tracker is a ResourceTracker.
type tracker struct {
	object unstructured.Unstructured
	Spec   struct {
		Type       string     `json:"type"`
		Generation int64      `json:"applicationGeneration"`
		Resources  []resource `json:"managedResources"`
		// Compressed contains Resources if KubeVela compresses them.
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
	app, err := q.get(ctx, schema.GroupVersionKind{Group: "core.oam.dev", Version: "v1beta1", Kind: "Application"}, query.Namespace, query.Name)
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
		for _, r := range t.Spec.Resources {
			r.tracker, r.latest = t, t == found.current
			all = append(all, r)
		}
	}
	return slices.DeleteFunc(all, func(r resource) bool { return !query.Filter.includes(r) }), nil
}

// trackers returns the ResourceTrackers of app.
func (q Querier) trackers(ctx context.Context, app *unstructured.Unstructured) (trackers, error) {
	var out trackers
	objects, err := q.list(ctx, schema.GroupVersionKind{Group: "core.oam.dev", Version: "v1beta1", Kind: "ResourceTracker"}, client.ListOptions{
		LabelSelector: labels.SelectorFromSet(labels.Set{labelName: app.GetName(), labelNamespace: app.GetNamespace()}),
	})
	if err != nil {
		return out, err
	}
	for _, o := range objects {
		if uid := o.GetLabels()[labelUID]; uid != "" && uid != string(app.GetUID()) {
			continue // of a deleted Application with the same name
		}
		t, err := newTracker(o)
		if err != nil {
			return out, fmt.Errorf("ResourceTracker %s: %w", o.GetName(), err)
		}
		switch {
		case t.Spec.Type == "root":
			out.root = t
		case t.Spec.Type != "versioned":
		case t.isCurrentOf(app):
			out.current = t
		default:
			out.history = append(out.history, t)
		}
	}
	slices.SortFunc(out.history, func(a, b *tracker) int { return cmp.Compare(a.Spec.Generation, b.Spec.Generation) })
	return out, nil
}

// maxDecompressed is the maximum size of a decompressed ResourceTracker, in bytes.
const maxDecompressed = 64 << 20

func newTracker(o unstructured.Unstructured) (*tracker, error) {
	t := &tracker{object: o}
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
	return t, json.Unmarshal(text, &t.Spec.Resources)
}

// isCurrentOf reports whether t belongs to the current revision of app.
func (t *tracker) isCurrentOf(app *unstructured.Unstructured) bool {
	if version := app.GetAnnotations()[publishVersion]; version != "" {
		return t.object.GetAnnotations()[publishVersion] == version
	}
	return t.Spec.Generation == app.GetGeneration()
}

// statusResources returns the resources in the status of app. Objects that may not be
// read are included only if f does not select components.
func (q Querier) statusResources(ctx context.Context, app *unstructured.Unstructured, f filter) ([]resource, error) {
	var a struct {
		Status struct {
			Applied []resource `json:"appliedResources"`
		} `json:"status"`
	}
	if err := convert(app.Object, &a); err != nil {
		return nil, fmt.Errorf("status of Application %s: %w", objectName(app.GetNamespace(), app.GetName()), err)
	}
	var all []resource
	for _, r := range a.Status.Applied {
		r.latest = true
		if r.isLocal() {
			o, err := q.get(ctx, r.groupVersionKind(), r.Namespace, r.Name)
			switch {
			case apierrors.IsNotFound(err):
				continue
			case apierrors.IsForbidden(err) && len(f.Components) == 0:
				all = append(all, r)
				continue
			case err != nil:
				return nil, err
			}
			r.UID, r.Component, r.Trait, r.Raw = o.GetUID(), o.GetLabels()[labelComponent], o.GetLabels()[labelTrait], o.Object
		}
		all = append(all, r)
	}
	return all, nil
}

func (r resource) isLocal() bool { return r.Cluster == "" || r.Cluster == localCluster }

// includes reports whether f selects the cluster, namespace and component of r.
func (f filter) includes(r resource) bool {
	if f.Cluster != "" || f.ClusterNamespace != "" {
		if f.Cluster != r.Cluster && (f.Cluster != localCluster || r.Cluster != "") {
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
