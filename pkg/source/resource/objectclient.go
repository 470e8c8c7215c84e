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

package resource

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
)

// objectClient reads the objects of one kind in a namespace or, if that is empty, in all.
type objectClient struct {
	objects  dynamic.NamespaceableResourceInterface
	metadata metadata.Getter
}

// metadataWatcher is a dynamic.ResourceInterface that can watch the metadata of objects, as
// dynamicclient.MetadataWatcher describes it.
type metadataWatcher interface {
	WatchMetadata(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

// list requests a page of objects, each an *unstructured.Unstructured.
func (c objectClient) list(ctx context.Context, namespace string, o metav1.ListOptions) ([]metav1.Object, metav1.ListInterface, error) {
	page, err := c.objects.Namespace(namespace).List(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	return pointers(page.Items), page, nil
}

// listMetadata requests a page of objects, each a *metav1.PartialObjectMetadata, or whole where
// the API server has nothing less.
func (c objectClient) listMetadata(ctx context.Context, namespace string, o metav1.ListOptions) ([]metav1.Object, metav1.ListInterface, error) {
	page, err := c.metadata.Namespace(namespace).List(ctx, o)
	switch {
	case apierrors.IsNotAcceptable(err):
		return c.list(ctx, namespace, o)
	case err != nil:
		return nil, nil, err
	}
	return pointers(page.Items), page, nil
}

// watch requests a watch of objects or, if metadataOnly is set, of their metadata.
func (c objectClient) watch(ctx context.Context, namespace string, metadataOnly bool, o metav1.ListOptions) (watch.Interface, error) {
	objects := c.objects.Namespace(namespace)
	if m, ok := objects.(metadataWatcher); ok && metadataOnly {
		return m.WatchMetadata(ctx, o)
	}
	return objects.Watch(ctx, o)
}

func pointers[T any, P interface {
	*T
	metav1.Object
}](items []T) []metav1.Object {
	objects := make([]metav1.Object, len(items))
	for i := range items {
		objects[i] = P(&items[i])
	}
	return objects
}

// setClient sets the client for the objects of the watch, once its kind is resolved.
func (w *watcher) setClient() {
	w.client.Store(&objectClient{
		objects:  w.Client.Resource(w.mapping.Resource),
		metadata: w.Metadata.Resource(w.mapping.Resource),
	})
}

// objects requests objects, with as much of them as triggers need.
func (w *watcher) objects(ctx context.Context, o metav1.ListOptions) ([]metav1.Object, metav1.ListInterface, error) {
	return w.objectsIn(ctx, w.namespace, o)
}

// objectsIn is objects for a namespace.
func (w *watcher) objectsIn(ctx context.Context, namespace string, o metav1.ListOptions) ([]metav1.Object, metav1.ListInterface, error) {
	if w.metadataOnly {
		return w.client.Load().listMetadata(ctx, namespace, o)
	}
	return w.client.Load().list(ctx, namespace, o)
}

// objectMetadata requests the metadata of objects.
func (w *watcher) objectMetadata(ctx context.Context, o metav1.ListOptions) ([]metav1.Object, metav1.ListInterface, error) {
	return w.client.Load().listMetadata(ctx, w.namespace, o)
}
