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

// Package config stands in for the package of this name in github.com/oam-dev/cluster-gateway.
package config

// The API of cluster-gateway, as in its pkg/config/meta.go.
const (
	MetaApiGroupName    = "cluster.core.oam.dev" //nolint:revive,staticcheck // the original name
	MetaApiVersionName  = "v1alpha1"             //nolint:revive,staticcheck // the original name
	MetaApiResourceName = "clustergateways"      //nolint:revive,staticcheck // the original name
)
