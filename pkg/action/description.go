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

package action

import (
	"strings"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// Description returns what the source of an action says about it, as one line: the field
// description of a definition in the format of `vela def`, else the first paragraph of the
// comment at the start of the file. It is empty if the source cannot be parsed.
func Description(source string) string {
	file, err := expr.ParseSyntax("main.cue", source)
	if err != nil {
		return ""
	}
	if d := definitionOf(file); d.metadata != nil {
		return oneLine(textOf(member(d.metadata.Value, "description")))
	}
	var lines []string
	for _, line := range strings.Split(source, "\n") {
		text, isComment := strings.CutPrefix(line, "//")
		if text = strings.TrimSpace(text); !isComment || text == "" {
			break
		}
		lines = append(lines, text)
	}
	return oneLine(strings.Join(lines, " "))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// ParameterSchema returns the OpenAPI v3 schema of the template's properties.
func (t *Template) ParameterSchema() (map[string]any, error) { return t.parameter.OpenAPI() }
