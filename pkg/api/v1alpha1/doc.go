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

// Package v1alpha1 is the API that users write: group standard.oam.dev, version
// v1alpha1.
//
// +kubebuilder:object:generate=true
// +groupName=standard.oam.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group and Version name the API.
const (
	Group   = "standard.oam.dev"
	Version = "v1alpha1"
)

// GroupVersion is standard.oam.dev/v1alpha1.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: Group, Version: Version}
}

// AddToScheme registers the API's kinds.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(),
		&TriggerService{}, &TriggerServiceList{},
		&TriggerEvent{}, &TriggerEventList{},
		&TriggerCheckpoint{}, &TriggerCheckpointList{},
		&EventListener{}, &EventListenerList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion())
	return nil
}
