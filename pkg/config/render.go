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

	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
)

// RenderDefinition returns the Definition of an action as YAML, with its source as a literal
// block. Without a namespace and a description, these fields are omitted.
func RenderDefinition(action, namespace, description, source string) ([]byte, error) {
	name := corev1alpha1.TriggerAction + "-" + action
	if reasons := validation.IsDNS1123Subdomain(name); len(reasons) > 0 {
		return nil, fmt.Errorf("action %q: a Definition cannot be called %q: %s", action, name, strings.Join(reasons, "; "))
	}
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	if description != "" {
		metadata["annotations"] = map[string]string{velatypes.AnnoDefinitionDescription: description}
	}
	head, err := yaml.Marshal(map[string]any{
		"apiVersion": corev1alpha1.GroupVersion().String(), "kind": corev1alpha1.DefinitionKind, "metadata": metadata,
	})
	if err != nil {
		return nil, err
	}
	const key, indent = "    " + corev1alpha1.MainTemplate + ": |2\n", "      "
	var out strings.Builder
	fmt.Fprintf(&out, "%sspec:\n  type: %s\n  templates:\n", head, corev1alpha1.TriggerAction)
	source = strings.TrimRight(strings.ReplaceAll(source, "\r\n", "\n"), "\n") + "\n"
	if first := strings.TrimLeft(source, "\n"); strings.HasPrefix(first, " ") {
		out.WriteString(key) // the indentation of the block is not that of its first line
	} else {
		out.WriteString(strings.Replace(key, "|2", "|", 1))
	}
	for _, line := range strings.SplitAfter(strings.TrimSuffix(source, "\n"), "\n") {
		if line != "\n" {
			out.WriteString(indent)
		}
		out.WriteString(line)
	}
	out.WriteString("\n")
	var got corev1alpha1.Definition
	if err := yaml.Unmarshal([]byte(out.String()), &got); err != nil || got.Spec.Templates[corev1alpha1.MainTemplate] != source {
		return nil, fmt.Errorf("action %q: has characters that a literal block of YAML cannot have; write them as escapes, such as \\u0000", action)
	}
	return []byte(out.String()), nil
}
