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

package sandbox

import (
	"encoding/json"
	"fmt"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// maxSchema is the maximum size of a schema in a report, as JSON in bytes.
const maxSchema = 64 << 10

// Description is what an action or a worker template says about itself.
type Description struct {
	// Text is as action.Description returns it, of at most MaxMessage bytes.
	Text string
	// ParameterSchema is the OpenAPI v3 schema of an action's properties; nil if the action
	// is invalid. If NoSchema is set, it says why the schema is omitted.
	ParameterSchema json.RawMessage `json:",omitempty"`
	NoSchema        string          `json:",omitempty"`
}

// describe describes the only action of r, whose template is among templates if it is valid, or
// its worker template.
func describe(r Request, templates map[string]trigger.Template, begin func(step string) string) *Description {
	d := &Description{}
	if r.Worker != nil && begin("description of worker template") == "" {
		d.Text = action.Description(r.Worker.Template)
	}
	for name, a := range r.Actions {
		if begin("description of action "+name) == "" {
			d.Text = action.Description(a.Source)
		}
		template, problems := templates[name]()
		if len(problems) > 0 {
			continue
		}
		if d.NoSchema = begin("schema of action " + name); d.NoSchema == "" {
			d.ParameterSchema, d.NoSchema = parameterSchema(template)
		}
	}
	return d
}

// parameterSchema returns the schema of t's properties, or why there is none.
func parameterSchema(t *action.Template) (schema json.RawMessage, reason string) {
	s, err := t.ParameterSchema()
	if err != nil {
		return nil, err.Error()
	}
	if schema, err = json.Marshal(s); err != nil {
		return nil, err.Error()
	}
	if len(schema) > maxSchema {
		return nil, fmt.Sprintf("is larger than %d KiB", maxSchema>>10)
	}
	return schema, ""
}
