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

package cluster

import (
	"context"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// joinNamespace is the namespace of the Secrets of joined clusters.
const joinNamespace = "vela-system"

// Join joins the cluster of config to c, with the Secret that `vela cluster join` creates.
// config must have a bearer token. Join replaces the Secret of a joined cluster with the
// same name.
func (c *Cluster) Join(t testing.TB, name string, labels map[string]string, config *rest.Config) {
	t.Helper()
	ca := config.CAData
	if len(ca) == 0 && config.CAFile != "" {
		var err error
		if ca, err = os.ReadFile(config.CAFile); err != nil {
			t.Fatalf("join cluster: %v", err)
		}
	}
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"cluster.core.oam.dev/cluster-credential-type": "ServiceAccountToken"}},
		Data:       map[string][]byte{"endpoint": []byte(config.Host), "ca.crt": ca, "token": []byte(config.BearerToken)},
	}
	for key, value := range labels {
		s.Labels[key] = value
	}
	c.JoinBySecret(t, s)
}

// JoinBySecret is like Join. s is the Secret of the joined cluster, without a namespace.
func (c *Cluster) JoinBySecret(t testing.TB, s *corev1.Secret) {
	t.Helper()
	client := c.Client(t).CoreV1()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: joinNamespace}}
	if _, err := client.Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("join cluster: %v", err)
	}
	_, err := client.Secrets(joinNamespace).Create(t.Context(), s, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = client.Secrets(joinNamespace).Update(t.Context(), s, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatalf("join cluster: %v", err)
	}
}

// Detach deletes the Secret of a joined cluster, if it exists. Detach can be called in
// t.Cleanup.
func (c *Cluster) Detach(t testing.TB, name string) {
	t.Helper()
	err := c.Client(t).CoreV1().Secrets(joinNamespace).Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatalf("detach cluster: %v", err)
	}
}
