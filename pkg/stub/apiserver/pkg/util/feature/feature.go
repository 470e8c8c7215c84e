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

// Package feature stands in for the package of this name in k8s.io/apiserver, whose feature
// gates are those of an API server. github.com/kubevela/workflow adds its own.
package feature

import "k8s.io/component-base/featuregate"

// DefaultMutableFeatureGate has the feature gates of the process.
var DefaultMutableFeatureGate featuregate.MutableFeatureGate = featuregate.NewFeatureGate()

// DefaultFeatureGate tells which features are enabled.
var DefaultFeatureGate featuregate.FeatureGate = DefaultMutableFeatureGate
