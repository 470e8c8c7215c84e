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
	"strings"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// mainTemplate is the path of the template in a Definition.
const mainTemplate = `spec.templates["` + corev1alpha1.MainTemplate + `"]`

// Definition is a document with the template of an action: of the kind Definition, or with the
// definition of a workflow step.
type Definition struct {
	// Action is the type of the action, Source its template.
	Action, Source string

	// path is the path of the template in the document.
	path    string
	locator locator
}

// Locate adds the positions in the file to diagnostics of the template.
func (d Definition) Locate(list diag.List) diag.FileDiagnostics {
	out := make(diag.FileDiagnostics, len(list))
	for i, p := range list.WithPrefix(d.path) {
		out[i] = d.locator.locate(p)
	}
	return out
}

// LocateName adds the position of the name in the file to a problem with it.
func (d Definition) LocateName(problem string) diag.FileDiagnostic {
	return d.locator.locate(diag.Diagnostic{Path: "metadata.name", Message: problem})
}

// isDefinition reports whether a document is a Definition.
func isDefinition(document map[string]any) bool {
	return document["kind"] == corev1alpha1.DefinitionKind && document["apiVersion"] == corev1alpha1.GroupVersion().String()
}

// addDefinition adds a document that is a Definition.
func (l *loader) addDefinition(d document) {
	meta, _ := d.value["metadata"].(map[string]any)
	spec, _ := d.value["spec"].(map[string]any)
	templates, _ := spec["templates"].(map[string]any)
	name, _ := meta["name"].(string)
	source, _ := templates[corev1alpha1.MainTemplate].(string)
	switch {
	case name == "":
		l.addError(d, "metadata.name", "is required")
	case spec["type"] != corev1alpha1.TriggerAction:
		l.addError(d, "spec.type", "must be %s, not %v", corev1alpha1.TriggerAction, spec["type"])
	case source == "":
		l.addError(d, mainTemplate, "is required")
	default:
		l.Definitions = append(l.Definitions, Definition{
			Action: strings.TrimPrefix(name, corev1alpha1.TriggerAction+"-"), Source: source, path: mainTemplate, locator: d.locator,
		})
	}
}

// findStep returns the definition of a workflow step in a document, or false.
func findStep(document map[string]any) (workflowstep.Definition, bool) {
	if document["apiVersion"] != v1beta1.SchemeGroupVersion.String() || document["kind"] != v1beta1.WorkflowStepDefinitionKind && document["kind"] != v1beta1.DefinitionRevisionKind {
		return workflowstep.Definition{}, false
	}
	return workflowstep.Find(document)
}

// addStep adds a document that is the definition of a workflow step.
func (l *loader) addStep(d document, step workflowstep.Definition) {
	switch {
	case step.Name == "":
		l.addError(d, "metadata.name", "is required")
	case step.Template == "":
		l.addError(d, step.Path, "is required")
	default:
		l.Definitions = append(l.Definitions, Definition{Action: step.String(), Source: step.Template, path: step.Path, locator: d.locator})
	}
}
