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

// Package clusters knows the clusters that are joined to KubeVela's control plane,
// the hub, and how to reach them.
//
// A cluster is joined by a Secret in vela-system that has the label
// cluster.core.oam.dev/cluster-credential-type. Its name is the cluster's, its
// labels are, and its data is where the API server is and how to log in there. There
// are two ways to use that:
//
//   - Gateway asks cluster-gateway, an API of the hub, which has the Secrets. The hub
//     decides who may do that. The list of clusters is read every 10 seconds.
//   - Secret reads the Secrets, and connects to the clusters itself. They are
//     watched, or read every 10 seconds where they may be listed only.
//
// Nothing is asked of the hub before somebody wants to know a cluster. Of clusters
// that are asked for by name, only those are. What a Secret holds is in no error.
package multicluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

const (
	// Local is the name of the hub.
	Local = "local"
	// Namespace is where the Secrets are.
	Namespace = "vela-system"
	// CredentialLabel is the label of the Secrets.
	CredentialLabel = "cluster.core.oam.dev/cluster-credential-type"
	// pollInterval is how often a list is read that cannot be watched, and the longest
	// wait after one that failed.
	pollInterval = 10 * time.Second
	// relistDelay is how soon a list is read again whose watch has ended, or that failed
	// the first time.
	relistDelay = time.Second
)

// Access is a way to joined clusters.
type Access string

// Ways to joined clusters. Auto is Gateway where the hub has that API, else Secret.
const (
	Auto    Access = "auto"
	Gateway Access = "gateway"
	Secret  Access = "secret"
)

// ParseAccess reads an Access.
func ParseAccess(text string) (Access, error) {
	if a := Access(text); slices.Contains([]Access{Auto, Gateway, Secret}, a) {
		return a, nil
	}
	return "", fmt.Errorf("%q: must be %s, %s or %s", text, Auto, Gateway, Secret)
}

// CheckName returns what is wrong with the name of a cluster, empty where it is one.
func CheckName(name string) string {
	return strings.Join(validation.IsDNS1123Subdomain(name), "; ")
}

// Cluster is a joined cluster.
type Cluster struct {
	Name   string
	Labels labels.Set
	// Endpoint is its API server, as who joined it says. It tells the cluster from
	// another one that takes its name.
	Endpoint string
	// Connection is the same for as long as the cluster is reached in the same
	// way. It is nil where it cannot be, and Err says why.
	Connection *Connection
	Err        error
}

// Clusters knows the joined clusters. It is safe for concurrent use.
type Clusters struct {
	hub             *rest.Config
	http            *http.Client
	clock           clock.Clock
	discovery       discovery.DiscoveryInterface
	virtualClusters dynamic.ResourceInterface
	secrets         typedcorev1.SecretInterface

	mu          sync.Mutex
	access      Access
	connections map[string]*Connection
	reflectors  map[string]*reflector
	// cached are the Secrets that were read for one connection, by name.
	cached map[string]cachedCluster
}

// New returns the clusters that are joined to hub, as whom that says. HTTP is the
// client for hub.
func New(hub *rest.Config, http *http.Client, a Access, c clock.Clock) (*Clusters, error) {
	d, err := discovery.NewDiscoveryClientForConfigAndClient(hub, http)
	if err != nil {
		return nil, fmt.Errorf("reach joined clusters: %w", err)
	}
	objects, err := dynamic.NewForConfigAndClient(hub, http)
	if err != nil {
		return nil, fmt.Errorf("reach joined clusters: %w", err)
	}
	core, err := typedcorev1.NewForConfigAndClient(hub, http)
	if err != nil {
		return nil, fmt.Errorf("reach joined clusters: %w", err)
	}
	return &Clusters{
		hub: hub, http: http, clock: c, access: a,
		discovery: d, virtualClusters: objects.Resource(gateway.WithResource("virtualclusters")), secrets: core.Secrets(Namespace),
		connections: map[string]*Connection{}, reflectors: map[string]*reflector{}, cached: map[string]cachedCluster{},
	}, nil
}

// gateway is the API of cluster-gateway.
var gateway = schema.GroupVersion{Group: "cluster.core.oam.dev", Version: "v1alpha1"} //nolint:gochecknoglobals // it is a constant

// resolveAccess returns Gateway or Secret. It asks the hub, once, where that is not given.
func (c *Clusters) resolveAccess(ctx context.Context) (Access, error) {
	c.mu.Lock()
	a := c.access
	c.mu.Unlock()
	if a != Auto {
		return a, nil
	}
	a = Gateway
	_, err := c.discovery.ServerResourcesForGroupVersion(gateway.String())
	if apierrors.IsNotFound(err) {
		a, err = Secret, nil
	}
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", gateway, err)
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.access = a
	return a, nil
}

// notJoined says that there is no such cluster.
func notJoined(name string) error {
	return apierrors.NewNotFound(gateway.WithResource("clusters").GroupResource(), name)
}
