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

// Package kubeschema has the types of Kubernetes objects: of the kinds that are built into Kubernetes and
// those of KubeVela, from files, and from a cluster. A type is made when its kind is asked for.
package kubeschema

import (
	"cmp"
	"slices"
	"strings"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

// Schemas are the schemas of kinds. Nil has those that are built in. It is immutable after it is made, and
// safe for concurrent use.
type Schemas struct {
	kinds map[schema.GroupVersionKind]definition
}

// definition is the schema of a kind.
type definition struct {
	read      func() datatype.Type
	isCurrent bool
}

// Kind is the type of a kind in a cluster.
type Kind struct {
	schema.GroupVersionKind
	Type datatype.Type
}

// New returns the schemas of the kinds of a cluster.
func New(kinds []Kind) *Schemas {
	s := &Schemas{kinds: map[schema.GroupVersionKind]definition{}}
	for _, k := range kinds {
		s.kinds[k.GroupVersionKind] = definition{func() datatype.Type { return k.Type }, true}
	}
	return s
}

// Found is what is known of a kind.
type Found struct {
	// Type is the type of its objects, if Known is set.
	Type  datatype.Type
	Known bool
	// Current is set if the type is that of the cluster, whose API server drops all other fields.
	Current bool
	// Problem tells what is probably wrong with the kind, and what is likely meant; empty for nothing.
	// It is about the apiVersion if APIVersion is set, else about the kind.
	Problem    string
	APIVersion bool
}

// Find returns what is known of a kind.
func (s *Schemas) Find(kind schema.GroupVersionKind) Found {
	if s != nil {
		if d, ok := s.kinds[kind]; ok {
			return Found{Type: d.read(), Known: true, Current: d.isCurrent}
		}
	}
	if d, ok := kubeVela(kind.Group).kinds[kind]; ok {
		return Found{Type: d.read(), Known: true}
	}
	if t, ok := builtInType(kind); ok {
		f := Found{Type: objectType(t, Name(kind)), Known: true}
		f.Problem = removal(kind, t)
		f.APIVersion = f.Problem != ""
		return f
	}
	return s.suggest(kind)
}

// Name returns the name of a kind in messages, such as "apps/v1 Deployment".
func Name(kind schema.GroupVersionKind) string { return kind.GroupVersion().String() + " " + kind.Kind }

// suggest returns what is likely meant by an unknown kind. A CustomResourceDefinition may define every kind
// of a group with a dot that is not Kubernetes's own.
func (s *Schemas) suggest(kind schema.GroupVersionKind) Found {
	var kinds, versions, groups []string
	for k := range s.all() {
		if k.GroupVersion() == kind.GroupVersion() {
			kinds = append(kinds, k.Kind)
		}
		if strings.EqualFold(k.Kind, kind.Kind) {
			versions = append(versions, k.GroupVersion().String())
		}
		groups = append(groups, k.Group)
	}
	slices.SortFunc(versions, func(a, b string) int { return cmp.Or(cmp.Compare(age(a), age(b)), cmp.Compare(a, b)) })
	slices.Sort(kinds)
	isOwn := !strings.Contains(kind.Group, ".") || slices.Contains(groups, kind.Group)
	problem := kind.GroupVersion().String() + " has no kind " + `"` + kind.Kind + `"`
	switch nearest := diag.Suggest(kind.Kind, kinds); {
	case !isOwn:
	case len(kinds) > 0 && nearest != "":
		return Found{Problem: problem + nearest}
	case len(versions) > 0:
		version := cmp.Or(diag.Nearest(kind.GroupVersion().String(), versions), versions[0])
		return Found{Problem: problem + `; did you mean the apiVersion "` + version + `"?`, APIVersion: true}
	case len(kinds) > 0:
		return Found{Problem: problem}
	}
	return Found{}
}

// age orders versions: stable ones first.
func age(apiVersion string) int {
	switch {
	case strings.Contains(apiVersion, "alpha"):
		return 2
	case strings.Contains(apiVersion, "beta"):
		return 1
	}
	return 0
}

// all returns all kinds that are known and not removed.
func (s *Schemas) all() map[schema.GroupVersionKind]bool {
	all := map[schema.GroupVersionKind]bool{}
	for kind, t := range builtIn() {
		if removal(kind, t) == "" {
			all[kind] = true
		}
	}
	for kind := range kubeVela(v1beta1.Group).kinds {
		all[kind] = true
	}
	if s != nil {
		for kind := range s.kinds {
			all[kind] = true
		}
	}
	return all
}
