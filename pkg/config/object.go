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

package config

import (
	"fmt"
	"strings"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

// object is what a document says that it is.
type object struct {
	// kind and apiVersion are nil if the document has none.
	kind, apiVersion any
	name             string
}

func objectOf(document map[string]any) object {
	meta, _ := document["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	return object{kind: document["kind"], apiVersion: document["apiVersion"], name: name}
}

// String returns the kind and the name.
func (o object) String() string { return strings.TrimSpace(fmt.Sprint(o.kind, " ", o.name)) }

// isOther reports whether o is a Kubernetes object of a kind that is not the package's, and not
// a misspelling of one.
func (o object) isOther() bool {
	kind, _ := o.kind.(string)
	apiVersion, _ := o.apiVersion.(string)
	return kind != "" && apiVersion != "" && o.meant() == ""
}

// meant returns the kind of the package that o is or, if it is misspelled, probably should be; ""
// if it is of another kind.
func (o object) meant() string {
	kind, _ := o.kind.(string)
	apiVersion, _ := o.apiVersion.(string)
	group, _, _ := strings.Cut(apiVersion, "/")
	switch near := diag.Nearest(kind, append(likeOurs(), v1alpha1.TriggerServiceKind, corev1alpha1.DefinitionKind)); {
	case near == v1alpha1.TriggerServiceKind, kind == corev1alpha1.DefinitionKind, near == corev1alpha1.DefinitionKind && group == corev1alpha1.Group:
		return near
	}
	return ""
}

// likeOurs are other kinds of kube-trigger and KubeVela whose names resemble those of the
// package.
func likeOurs() []string {
	return []string{
		"EventListener", "TriggerCheckpoint", "TriggerEvent", v1beta1.ComponentDefinitionKind, v1beta1.PolicyDefinitionKind,
		v1beta1.ScopeDefinitionKind, v1beta1.TraitDefinitionKind, v1beta1.WorkflowStepDefinitionKind, v1beta1.WorkloadDefinitionKind,
	}
}

// problem returns why o is none of the package's kinds; "" if it is, or if the document is no
// object.
func (o object) problem() string {
	if o.kind == nil && o.apiVersion == nil {
		return ""
	}
	kind, version := v1alpha1.TriggerServiceKind, v1alpha1.GroupVersion().String()
	if o.meant() == corev1alpha1.DefinitionKind {
		kind, version = corev1alpha1.DefinitionKind, corev1alpha1.GroupVersion().String()
	}
	if o.kind == kind && o.apiVersion == version {
		return ""
	}
	problem := fmt.Sprintf("must be %s of %s, not %v of %v", kind, version, o.kind, o.apiVersion)
	switch {
	case o.meant() == "":
	case o.kind != kind:
		problem += fmt.Sprintf("; did you mean %q?", kind)
	default:
		problem += fmt.Sprintf("; did you mean apiVersion %q?", version)
	}
	return problem
}
