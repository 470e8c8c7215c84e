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

// Package v1alpha1 stands in for the package of this name in
// github.com/oam-dev/cluster-gateway, which is the API server of cluster-gateway, too.
// github.com/kubevela/pkg/multicluster adds its kinds to the scheme of a client that
// kube-trigger never makes: package multicluster has its own client.
package v1alpha1

import "k8s.io/apimachinery/pkg/runtime"

// CredentialType is how cluster-gateway signs in to a cluster.
type CredentialType string

// AddToScheme adds nothing.
func AddToScheme(*runtime.Scheme) error { return nil }
