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

package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// namedCaches reads the ServiceAccounts, Roles and RoleBindings of workers from one cache
// for each name, and all other objects from the Reader: the controller may read these
// kinds by name only, and a cache selects one name.
type namedCaches struct {
	client.Reader
	byName map[string]cache.Cache
}

// accountObjects returns an empty object of each kind that is cached by name, by its names.
func accountObjects() map[string][]client.Object {
	return map[string][]client.Object{
		v1alpha1.DefaultServiceAccount: {&corev1.ServiceAccount{}},
		DefaultRole:                    {&rbacv1.RoleBinding{}},
		trigger.WorkerAccount:          {&corev1.ServiceAccount{}, &rbacv1.RoleBinding{}},
		ImpersonateRole:                {&rbacv1.Role{}, &rbacv1.RoleBinding{}},
	}
}

// newNamedCaches returns caches of some namespaces, nil for all, that m starts.
func newNamedCaches(m ctrl.Manager, namespaces map[string]cache.Config) (namedCaches, error) {
	all := namedCaches{Reader: m.GetClient(), byName: map[string]cache.Cache{}}
	for name, objects := range accountObjects() {
		byObject := map[client.Object]cache.ByObject{}
		for _, o := range objects {
			byObject[o] = cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", name)}
		}
		c, err := cache.New(m.GetConfig(), cache.Options{
			Scheme: m.GetScheme(), Mapper: m.GetRESTMapper(), HTTPClient: m.GetHTTPClient(), ByObject: byObject, DefaultNamespaces: namespaces,
		})
		if err != nil {
			return all, fmt.Errorf("cache objects named %q: %w", name, err)
		}
		if err := m.Add(c); err != nil {
			return all, err
		}
		all.byName[name] = c
	}
	return all, nil
}

// Get implements client.Reader.
func (c namedCaches) Get(ctx context.Context, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
	switch o.(type) {
	case *corev1.ServiceAccount, *rbacv1.Role, *rbacv1.RoleBinding:
		named, ok := c.byName[key.Name]
		if !ok {
			return fmt.Errorf("%T %s is not cached", o, key)
		}
		return named.Get(ctx, key, o, options...)
	}
	return c.Reader.Get(ctx, key, o, options...)
}
