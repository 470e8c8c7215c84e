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
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
)

// ask asks the gateway for the clusters of f. It has them without their credentials
// as virtualclusters, and the hub among them.
func (c *Clusters) ask(ctx context.Context, f *follower) error {
	joined := map[string]Cluster{}
	if f.scope != everyCluster {
		v, err := c.virtual.Get(ctx, f.scope, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("get virtualclusters %s: %w", f.scope, err)
		}
		if err == nil {
			joined[f.scope] = c.ofVirtual(v)
		}
		f.take(joined)
		return nil
	}
	list, err := c.virtual.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list virtualclusters: %w", err)
	}
	for i := range list.Items {
		if v := &list.Items[i]; v.GetName() != Local {
			joined[v.GetName()] = c.ofVirtual(v)
		}
	}
	f.take(joined)
	return nil
}

// ofVirtual returns the cluster that v is.
func (c *Clusters) ofVirtual(v *unstructured.Unstructured) Cluster {
	found := Cluster{Name: v.GetName(), Labels: v.GetLabels()}
	found.Endpoint, _, _ = unstructured.NestedString(v.Object, "spec", "endpoint")
	if accepted, given, _ := unstructured.NestedBool(v.Object, "spec", "accepted"); given && !accepted {
		found.Err = errors.New("the hub has not accepted it")
		return found
	}
	if wrong := CheckName(v.GetName()); wrong != "" {
		found.Err = fmt.Errorf("a joined cluster cannot be named %q: %s", v.GetName(), wrong)
		return found
	}
	found.Connection, found.Err = c.through(v.GetName())
	return found
}

// watch lists and watches the Secrets of f. It returns after what time to do so
// again.
func (c *Clusters) watch(ctx context.Context, f *follower) (time.Duration, error) {
	options := metav1.ListOptions{LabelSelector: CredentialLabel}
	if f.scope != everyCluster {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", f.scope).String()
	}
	list, err := c.secrets.List(ctx, options)
	if err != nil {
		return 0, fmt.Errorf("list Secrets of clusters in %s: %w", Namespace, err)
	}
	joined := map[string]Cluster{}
	for i := range list.Items {
		joined[list.Items[i].Name] = c.ofSecret(&list.Items[i])
	}
	f.take(joined)
	options.ResourceVersion = list.ResourceVersion
	stream, err := c.secrets.Watch(ctx, options)
	if err != nil {
		return lookEvery, nil // they are listed again instead
	}
	defer stream.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case got, open := <-stream.ResultChan():
			if !open || got.Type == watch.Error {
				return lookSoon, nil
			}
			s, ok := got.Object.(*corev1.Secret)
			switch {
			case !ok:
			case got.Type == watch.Deleted:
				f.drop(s.Name)
			default:
				f.put(c.ofSecret(s))
			}
		}
	}
}
