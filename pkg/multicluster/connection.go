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

package multicluster

import (
	"context"
	"fmt"
	"net/http"
	"time"

	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/kubevela/kube-trigger/pkg/dynamicclient"
)

// Connection holds the clients of one cluster. Creating it sends no request.
type Connection struct {
	// Server is the URL that requests are sent to.
	Server   string
	Dynamic  dynamic.Interface
	Metadata metadata.Interface
	Mapper   meta.RESTMapper
	Client   client.Client

	fingerprint string
}

// cachedCluster is a cluster whose Secret was read at readAt.
type cachedCluster struct {
	cluster Cluster
	readAt  time.Time
}

// Connect returns the connection to a joined cluster. With Secret access it gets the
// Secret if no Watcher watches the cluster, and caches the result for 10 seconds; the
// error satisfies apierrors.IsNotFound if the cluster is not joined. With Gateway
// access it sends no request to the cluster.
func (c *Clusters) Connect(ctx context.Context, name string) (*Connection, error) {
	if reason := CheckName(name); reason != "" {
		return nil, fmt.Errorf("connect to cluster %q: %s", name, reason)
	}
	access, err := c.resolveAccess(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to cluster %q: %w", name, err)
	}
	if access == Gateway {
		return c.gatewayConnection(name)
	}
	cluster, err := c.lookup(ctx, name)
	if err == nil {
		err = cluster.Err
	}
	if err != nil {
		return nil, fmt.Errorf("connect to cluster %q: %w", name, err)
	}
	return cluster.Connection, nil
}

// lookup returns a cluster by the name of its Secret.
func (c *Clusters) lookup(ctx context.Context, name string) (Cluster, error) {
	c.mu.Lock()
	for _, scope := range []string{name, allClusters} {
		if r := c.reflectors[scope]; r != nil {
			if cluster, known, err := r.get(name); known {
				c.mu.Unlock()
				return cluster, err
			}
		}
	}
	last, ok := c.cached[name]
	c.mu.Unlock()
	if ok && c.clock.Since(last.readAt) < pollInterval {
		return last.cluster, nil
	}
	s, err := c.secrets.Get(ctx, name, metav1.GetOptions{})
	if err == nil && s.Labels[CredentialLabel] == "" || apierrors.IsNotFound(err) {
		return Cluster{}, notJoined(name)
	}
	if err != nil {
		return Cluster{}, fmt.Errorf("get Secret %s/%s: %w", velatypes.DefaultKubeVelaNS, name, err)
	}
	cluster := c.fromSecret(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cached[name] = cachedCluster{cluster, c.clock.Now()}
	return cluster, nil
}

// fromSecret returns the cluster that a Secret joins.
func (c *Clusters) fromSecret(s *corev1.Secret) Cluster {
	cluster := Cluster{Name: s.Name, Labels: s.Labels, Endpoint: endpointOf(s)}
	if reason := CheckName(s.Name); reason != "" || s.Name == Local {
		cluster.Err = fmt.Errorf("invalid name %q of a joined cluster", s.Name)
		return cluster
	}
	cluster.Connection, cluster.Err = c.cachedConnection(s.Name, fingerprint(s), func() (*rest.Config, *http.Client, error) {
		config, err := configOf(s)
		if err != nil {
			return nil, nil, err
		}
		config.UserAgent, config.QPS, config.RateLimiter = c.hub.UserAgent, c.hub.QPS, c.hub.RateLimiter
		client, err := rest.HTTPClientFor(config)
		return config, client, err
	})
	return cluster
}

// gatewayConnection returns the connection to a cluster through cluster-gateway.
func (c *Clusters) gatewayConnection(name string) (*Connection, error) {
	return c.cachedConnection(name, "gateway", func() (*rest.Config, *http.Client, error) {
		config := rest.CopyConfig(c.hub)
		base, _, err := rest.DefaultServerUrlFor(c.hub)
		if err != nil {
			return nil, nil, err
		}
		config.Host = base.JoinPath("apis", gateway.String(), "clustergateways", name, "proxy").String()
		return config, c.http, nil
	})
}

// cachedConnection returns the connection to a cluster. It calls configure and
// connects again only if the fingerprint differs from that of the last call.
func (c *Clusters) cachedConnection(name, fingerprint string, configure func() (*rest.Config, *http.Client, error)) (*Connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached := c.connections[name]
	if cached != nil && cached.fingerprint == fingerprint {
		return cached, nil
	}
	config, client, err := configure()
	if err != nil {
		return nil, err
	}
	conn, err := newConnection(config, client)
	if err != nil {
		return nil, err
	}
	conn.fingerprint = fingerprint
	c.connections[name] = conn
	return conn, nil
}

func newConnection(config *rest.Config, httpClient *http.Client) (*Connection, error) {
	conn := &Connection{Server: config.Host}
	var err error
	if conn.Dynamic, err = dynamicclient.New(config, httpClient); err != nil {
		return nil, err
	}
	if conn.Metadata, err = metadata.NewForConfigAndClient(config, httpClient); err != nil {
		return nil, err
	}
	if conn.Mapper, err = apiutil.NewDynamicRESTMapper(config, httpClient); err != nil {
		return nil, err
	}
	conn.Client, err = client.New(config, client.Options{HTTPClient: Warnings(RetryAfter(httpClient)), Mapper: conn.Mapper})
	return conn, err
}
