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
	"errors"
	"fmt"
	"slices"
	"time"

	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
)

// Names returns the sorted names of the joined clusters, without the hub's.
func (c *Clusters) Names(ctx context.Context) ([]string, error) {
	access, err := c.resolveAccess(ctx)
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	var names []string
	if access == Gateway {
		list, err := c.virtualClusters.List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list virtualclusters: %w", err)
		}
		for i := range list.Items {
			if name := list.Items[i].GetName(); name != Local {
				names = append(names, name)
			}
		}
	} else {
		list, err := c.secrets.List(ctx, metav1.ListOptions{LabelSelector: CredentialLabel})
		if err != nil {
			return nil, fmt.Errorf("list Secrets of clusters in %s: %w", velatypes.DefaultKubeVelaNS, err)
		}
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// poll gets the clusters of r from cluster-gateway, which serves them as
// virtualclusters, without credentials. The hub is one of them, and left out.
func (c *Clusters) poll(ctx context.Context, r *reflector) error {
	joined := map[string]Cluster{}
	if r.scope != allClusters {
		v, err := c.virtualClusters.Get(ctx, r.scope, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("get virtualclusters %s: %w", r.scope, err)
		}
		if err == nil {
			joined[r.scope] = c.fromVirtualCluster(v)
		}
		r.replace(joined)
		return nil
	}
	list, err := c.virtualClusters.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list virtualclusters: %w", err)
	}
	for i := range list.Items {
		if v := &list.Items[i]; v.GetName() != Local {
			joined[v.GetName()] = c.fromVirtualCluster(v)
		}
	}
	r.replace(joined)
	return nil
}

// fromVirtualCluster returns the cluster of a virtualcluster object.
func (c *Clusters) fromVirtualCluster(v *unstructured.Unstructured) Cluster {
	cluster := Cluster{Name: v.GetName(), Labels: v.GetLabels()}
	cluster.Endpoint, _, _ = unstructured.NestedString(v.Object, "spec", "endpoint")
	if accepted, found, _ := unstructured.NestedBool(v.Object, "spec", "accepted"); found && !accepted {
		cluster.Err = errors.New("not accepted by the hub")
		return cluster
	}
	if reason := CheckName(v.GetName()); reason != "" {
		cluster.Err = fmt.Errorf("invalid name %q of a joined cluster: %s", v.GetName(), reason)
		return cluster
	}
	cluster.Connection, cluster.Err = c.gatewayConnection(v.GetName())
	return cluster
}

// listAndWatch lists and watches the Secrets of r until the watch ends. It returns
// the delay before the next list.
func (c *Clusters) listAndWatch(ctx context.Context, r *reflector) (time.Duration, error) {
	options := metav1.ListOptions{LabelSelector: CredentialLabel}
	if r.scope != allClusters {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", r.scope).String()
	}
	list, err := c.secrets.List(ctx, options)
	if err != nil {
		return 0, fmt.Errorf("list Secrets of clusters in %s: %w", velatypes.DefaultKubeVelaNS, err)
	}
	joined := map[string]Cluster{}
	for i := range list.Items {
		joined[list.Items[i].Name] = c.fromSecret(&list.Items[i])
	}
	r.replace(joined)
	options.ResourceVersion = list.ResourceVersion
	stream, err := c.secrets.Watch(ctx, options)
	if err != nil {
		return pollInterval, nil // poll instead
	}
	defer stream.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case got, open := <-stream.ResultChan():
			if !open || got.Type == watch.Error {
				return relistDelay, nil
			}
			s, ok := got.Object.(*corev1.Secret)
			switch {
			case !ok:
			case got.Type == watch.Deleted:
				r.delete(s.Name)
			default:
				r.set(c.fromSecret(s))
			}
		}
	}
}
