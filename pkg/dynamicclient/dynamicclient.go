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

// Package dynamicclient is client-go's dynamic client with a faster watch: each object is decoded in
// one pass instead of four, and without what its managers own, which is often the larger part of
// it.
package dynamicclient

import (
	"context"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// New returns a client of the API server of config. The fields metadata.managedFields of watched
// objects lack fieldsV1.
func New(config *rest.Config, httpClient *http.Client) (dynamic.Interface, error) {
	config = dynamic.ConfigFor(config)
	config.GroupVersion = &schema.GroupVersion{} // each request names its own
	requests, err := rest.RESTClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	return client{dynamic.New(requests), requests}, nil
}

// metadataOrWhole asks for the metadata of objects, and for whole ones from a server that cannot
// leave the rest out.
const metadataOrWhole = runtime.ContentTypeJSON + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1," + runtime.ContentTypeJSON

// A MetadataWatcher is a dynamic.ResourceInterface that can watch the metadata of objects only.
// Those of New's client are.
type MetadataWatcher interface {
	// WatchMetadata is Watch for objects that are a PartialObjectMetadata of meta.k8s.io/v1. They
	// are whole where the API server, such as an aggregated one, does not support that.
	WatchMetadata(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

type client struct {
	dynamic.Interface
	requests rest.Interface
}

func (c client) Resource(r schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	all := c.Interface.Resource(r)
	return namespaceable{all, objects{all, c.requests, r, ""}}
}

// namespaceable are the objects of a resource in all namespaces.
type namespaceable struct {
	dynamic.NamespaceableResourceInterface
	objects objects
}

func (n namespaceable) Namespace(namespace string) dynamic.ResourceInterface {
	return objects{n.NamespaceableResourceInterface.Namespace(namespace), n.objects.requests, n.objects.resource, namespace}
}

func (n namespaceable) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return n.objects.Watch(ctx, o)
}

// WatchMetadata implements MetadataWatcher.
func (n namespaceable) WatchMetadata(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return n.objects.WatchMetadata(ctx, o)
}

// objects are the objects of a resource in a namespace; empty for all.
type objects struct {
	dynamic.ResourceInterface
	requests  rest.Interface
	resource  schema.GroupVersionResource
	namespace string
}

// Watch implements dynamic.ResourceInterface. Like that of client-go it is subject to no rate limit, and
// ends at once if the connection breaks before there is a response.
func (r objects) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return r.watch(ctx, o, runtime.ContentTypeJSON)
}

// WatchMetadata implements MetadataWatcher.
func (r objects) WatchMetadata(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	w, err := r.watch(ctx, o, metadataOrWhole)
	if apierrors.IsNotAcceptable(err) {
		return r.watch(ctx, o, runtime.ContentTypeJSON)
	}
	return w, err
}

func (r objects) watch(ctx context.Context, o metav1.ListOptions, accept string) (watch.Interface, error) {
	o.Watch = true
	path := []string{"apis", r.resource.Group, r.resource.Version}
	if r.resource.Group == "" {
		path = []string{"api", r.resource.Version}
	}
	if r.namespace != "" {
		path = append(path, "namespaces", r.namespace)
	}
	body, err := r.requests.Get().AbsPath(append(path, r.resource.Resource)...).
		SetHeader("Accept", accept).
		SpecificallyVersionedParams(&o, metav1.ParameterCodec, metav1.SchemeGroupVersion).
		Throttle(nil).Stream(ctx)
	switch {
	case net.IsProbableEOF(err), net.IsTimeout(err):
		return watch.NewEmptyWatch(), nil
	case err != nil:
		return nil, err
	}
	return watch.NewStreamWatcher(newDecoder(body), apierrors.NewClientErrorReporter(http.StatusInternalServerError, http.MethodGet, "ClientWatchDecoding")), nil
}
