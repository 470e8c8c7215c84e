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

// Package workflowstep reads the definitions of KubeVela's workflow steps: the kind
// WorkflowStepDefinition, and DefinitionRevision for an earlier version of one.
package workflowstep

import (
	"strings"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	// templatePath is the field of a WorkflowStepDefinition with the template, and
	// revisionPath that of a DefinitionRevision.
	templatePath = "spec.schematic.cue.template"
	revisionPath = "spec.workflowStepDefinition." + templatePath

	// prefix begins the type of an action that is a step.
	prefix = "step/"
)

// Step identifies a step.
type Step struct {
	Name string
	// Version is that of the DefinitionRevision, such as "v2"; empty for the
	// WorkflowStepDefinition itself.
	Version string
}

// Parse returns the step that an action type "step/NAME" or "step/NAME@VERSION" names; false
// for other types.
func Parse(actionType string) (Step, bool) {
	name, ok := strings.CutPrefix(actionType, prefix)
	if !ok {
		return Step{}, false
	}
	name, version, _ := strings.Cut(name, "@")
	return Step{Name: name, Version: version}, true
}

// String returns the type of the action.
func (s Step) String() string {
	if s.Version == "" {
		return prefix + s.Name
	}
	return prefix + s.Name + "@" + s.Version
}

// Kind returns the kind of the object with the template.
func (s Step) Kind() schema.GroupVersionKind {
	if s.Version == "" {
		return v1beta1.WorkflowStepDefinitionGroupVersionKind
	}
	return v1beta1.DefinitionRevisionGroupVersionKind
}

// ObjectName returns the name of the object with the template.
func (s Step) ObjectName() string {
	if s.Version == "" {
		return s.Name
	}
	return s.Name + "-" + s.Version
}

// Definition is the definition of a step that an object has.
type Definition struct {
	Step
	// Template is the CUE, and Path its field in the object.
	Template, Path string
}

// SetIn sets the fields of an object that Find reads, but for its kind and its name.
func (d Definition) SetIn(object map[string]any) error {
	if d.Name == "" {
		return nil
	}
	if d.Version != "" {
		if err := unstructured.SetNestedField(object, d.Name, "spec", "workflowStepDefinition", "metadata", "name"); err != nil {
			return err
		}
	}
	return unstructured.SetNestedField(object, d.Template, strings.Split(d.Path, ".")...)
}

// Find returns the definition in an object: a WorkflowStepDefinition, or a DefinitionRevision
// of one. It returns false for a DefinitionRevision of another kind of definition. Its
// Template is empty if it has none.
func Find(object map[string]any) (Definition, bool) {
	u := unstructured.Unstructured{Object: object}
	d := Definition{Step: Step{Name: u.GetName()}, Path: templatePath}
	if u.GetKind() == v1beta1.DefinitionRevisionKind {
		name, _, _ := unstructured.NestedString(object, "spec", "workflowStepDefinition", "metadata", "name")
		version, ok := strings.CutPrefix(u.GetName(), name+"-")
		if name == "" || !ok {
			return Definition{}, false
		}
		d = Definition{Step: Step{Name: name, Version: version}, Path: revisionPath}
	}
	d.Template, _, _ = unstructured.NestedString(object, strings.Split(d.Path, ".")...)
	return d, true
}
