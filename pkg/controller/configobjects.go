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
	"encoding/json"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/reference"
	"github.com/kubevela/kube-trigger/pkg/source/config"
)

// configProperties are those properties of the source "config" that the controller reads.
type configProperties struct {
	Objects      []reference.Reference `json:"objects"`
	OwnComponent bool                  `json:"ownComponent"`
}

// configOf returns the properties of a source, and whether it is a valid one of the type
// "config".
func configOf(s v1alpha1.Source) (p configProperties, ok bool) {
	if s.Type != config.Type || s.Properties == nil || json.Unmarshal(s.Properties.Raw, &p) != nil {
		return configProperties{}, false
	}
	return p, true
}

// asksForComponent reports whether a source watches what the TriggerService's component refers
// to.
func asksForComponent(s v1alpha1.Source) bool {
	p, _ := configOf(s)
	return p.OwnComponent
}

// grantedConfig returns the ConfigMaps and Secrets that the configReconciler lets ts watch.
func (r *reconciler) grantedConfig(ctx context.Context, ts *v1alpha1.TriggerService) ([]reference.Reference, error) {
	if r.configRoles == nil {
		return nil, nil
	}
	role := &rbacv1.Role{}
	key := types.NamespacedName{Namespace: ts.Namespace, Name: configRole(ts.Name)}
	if err := client.IgnoreNotFound(r.configRoles.Get(ctx, key, role)); err != nil {
		return nil, fmt.Errorf("get Role %s: %w", key, err)
	}
	if !controlledBy(ts)(role) {
		return nil, nil
	}
	var granted []reference.Reference
	for _, rule := range role.Rules {
		for _, kind := range configKinds() {
			for _, name := range rule.ResourceNames {
				if slices.Contains(rule.Resources, kind.resource) {
					granted = append(granted, reference.Reference{Kind: kind.kind, Name: name})
				}
			}
		}
	}
	return granted, nil
}

// withConfig returns spec, in which the triggers that ask for the objects of their component
// watch the granted ones, too. spec is not changed.
func withConfig(spec v1alpha1.TriggerServiceSpec, granted []reference.Reference) (v1alpha1.TriggerServiceSpec, error) {
	if len(granted) == 0 {
		return spec, nil
	}
	spec = *spec.DeepCopy()
	for i := range spec.Triggers {
		s := &spec.Triggers[i].Source
		p, ok := configOf(*s)
		if !ok || !p.OwnComponent {
			continue
		}
		for _, o := range granted {
			if !slices.Contains(p.Objects, o) && len(p.Objects) < config.MaxObjects {
				p.Objects = append(p.Objects, o)
			}
		}
		properties := map[string]any{}
		if err := json.Unmarshal(s.Properties.Raw, &properties); err != nil {
			return spec, err
		}
		properties["objects"] = p.Objects
		text, err := json.Marshal(properties)
		if err != nil {
			return spec, err
		}
		s.Properties = &runtime.RawExtension{Raw: text}
	}
	return spec, nil
}
