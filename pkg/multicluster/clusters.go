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

// Package multicluster gives access to the clusters that are joined to the hub,
// KubeVela's control plane.
//
// A Secret in vela-system with the label cluster.core.oam.dev/cluster-credential-type
// joins a cluster. The cluster has the Secret's name and labels; the Secret's data
// holds the URL of the API server and the credential. There are two ways to reach
// the clusters:
//
//   - Gateway sends requests through cluster-gateway, an aggregated API of the hub,
//     which reads the Secrets. The hub authorizes the requests. The clusters are
//     listed every 10 seconds.
//   - Secret reads the Secrets and connects to the clusters directly. The Secrets
//     are watched, or listed every 10 seconds if watch is forbidden.
//
// With None, no cluster is reached: lookups and connections fail without a request.
//
// Clusters are looked up lazily: only the clusters that triggers name, or all of
// them when a trigger selects by label, are listed and watched. Errors never contain
// the data of a Secret.
package multicluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/dynamicclient"
)

const (
	// Local is the name of the hub.
	Local = velatypes.ClusterLocalName
	// CredentialLabel is the label of these Secrets. Its value is the type of the
	// credential.
	CredentialLabel = "cluster.core.oam.dev/cluster-credential-type"
	// pollInterval is the interval between lists where watch is not possible, and
	// the maximum delay after a list that failed.
	pollInterval = 10 * time.Second
	// relistDelay is the delay before the next list after a watch has ended, and the
	// initial delay after a list that failed. It doubles with each failure.
	relistDelay = time.Second
)

// Access is the way in which joined clusters are reached.
type Access string

// The ways to reach joined clusters. Auto is Gateway if the hub serves that API,
// otherwise Secret.
const (
	Auto    Access = "auto"
	Gateway Access = "gateway"
	Secret  Access = "secret"
	None    Access = "none"
)

// ParseAccess parses the name of an Access.
func ParseAccess(text string) (Access, error) {
	if a := Access(text); slices.Contains([]Access{Auto, Gateway, Secret, None}, a) {
		return a, nil
	}
	return "", fmt.Errorf("%q: must be %s, %s, %s or %s", text, Auto, Gateway, Secret, None)
}

// CheckName returns why name is not a valid name of a cluster, or "" if it is.
func CheckName(name string) string {
	return strings.Join(validation.IsDNS1123Subdomain(name), "; ")
}

// Cluster is a joined cluster.
type Cluster struct {
	Name   string
	Labels labels.Set
	// Endpoint is the URL of the API server in the Secret. A cluster that joins
	// under the same name with another Endpoint is another cluster.
	Endpoint string
	// Connection stays the same until the endpoint or the credential changes. It is
	// nil if the cluster cannot be reached; Err is then the reason.
	Connection *Connection
	Err        error
}

// Clusters looks up the joined clusters. It is safe for concurrent use.
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
	// cached holds the clusters that Connect looked up, by name.
	cached map[string]cachedCluster
}

// IsLocal reports whether name is that of the hub, or empty, which stands for it.
func IsLocal(name string) bool { return name == "" || name == Local }

// New returns the clusters that are joined to hub. It uses the identity of hub, and
// http for requests to the hub and to cluster-gateway. It sends no request.
func New(hub *rest.Config, http *http.Client, a Access, c clock.Clock) (*Clusters, error) {
	d, err := discovery.NewDiscoveryClientForConfigAndClient(hub, http)
	if err != nil {
		return nil, fmt.Errorf("create clients of the hub: %w", err)
	}
	objects, err := dynamicclient.New(hub, http)
	if err != nil {
		return nil, fmt.Errorf("create clients of the hub: %w", err)
	}
	core, err := typedcorev1.NewForConfigAndClient(hub, http)
	if err != nil {
		return nil, fmt.Errorf("create clients of the hub: %w", err)
	}
	return &Clusters{
		hub: hub, http: http, clock: c, access: a,
		discovery: d, virtualClusters: objects.Resource(gateway.WithResource("virtualclusters")), secrets: core.Secrets(velatypes.DefaultKubeVelaNS),
		connections: map[string]*Connection{}, reflectors: map[string]*reflector{}, cached: map[string]cachedCluster{},
	}, nil
}

// gateway is the API group and version of cluster-gateway.
var gateway = schema.GroupVersion{Group: "cluster.core.oam.dev", Version: "v1alpha1"} //nolint:gochecknoglobals // it is a constant

// errNoAccess reports that joined clusters must not be reached.
var errNoAccess = errors.New("joined clusters are not allowed here (--cluster-access=none)")

// resolveAccess returns Gateway or Secret, or errNoAccess for None. For Auto it discovers, until that succeeds
// once, whether the hub serves the API of cluster-gateway.
func (c *Clusters) resolveAccess(ctx context.Context) (Access, error) {
	c.mu.Lock()
	a := c.access
	c.mu.Unlock()
	switch a {
	case Auto:
	case None:
		return "", errNoAccess
	default:
		return a, nil
	}
	a = Gateway
	_, err := c.discovery.ServerResourcesForGroupVersion(gateway.String())
	if apierrors.IsNotFound(err) {
		a, err = Secret, nil
	}
	if err != nil {
		return "", fmt.Errorf("discover %s: %w", gateway, err)
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.access = a
	return a, nil
}
