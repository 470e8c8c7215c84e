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

package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/store"
	clusterstore "github.com/kubevela/kube-trigger/pkg/store/cluster"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// elected is a store whose process ends with it.
type elected struct {
	store.Store
	leader *clusterstore.Leader
}

func (e elected) Close() error { return errors.Join(e.Store.Close(), e.leader.Close()) }

func TestCluster(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	crds := got(filepath.Glob("../../addon/crds/standard.oam.dev_*.yaml"))(t)
	c.Install(t, crds...)
	conformance(t, func(t *testing.T) env {
		namespace := c.Namespace(t)
		return env{
			open: func(t *testing.T, o options) store.Store {
				t.Helper()
				client := clusterstore.ClientOptions{Config: c.Config}
				leader := got(clusterstore.Elect(t.Context(), clusterstore.ElectionOptions{
					Client: client, Namespace: namespace, Name: "worker", Identity: "worker-0", Clock: o.clock,
				}))(t)
				s := got(clusterstore.Open(t.Context(), clusterstore.Options{
					Client: client, Namespace: namespace, Owner: "notify", Leader: leader, Limits: o.limits, Clock: o.clock,
				}))(t)
				return elected{s, leader}
			},
			dump: func(t *testing.T) []byte {
				client := got(dynamic.NewForConfig(c.Config))(t)
				var all bytes.Buffer
				for _, gvr := range []schema.GroupVersionResource{
					v1alpha1.GroupVersion().WithResource("triggercheckpoints"), v1alpha1.GroupVersion().WithResource("triggerevents"),
					corev1.SchemeGroupVersion.WithResource("events"),
				} {
					list := got(client.Resource(gvr).Namespace(namespace).List(t.Context(), metav1.ListOptions{}))(t)
					must(t, json.NewEncoder(&all).Encode(list))
				}
				return all.Bytes()
			},
		}
	})
}
