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

package event

import "github.com/kubevela/kube-trigger/pkg/datatype"

// Form is what all events of a source have in common.
type Form struct {
	// Types are all types of events; nil if the sender decides.
	Types []string
	// Data is the type of the data. The zero value is an object with any fields.
	Data datatype.Type
}

// Context returns the type of `context`, which is given without data, in events of the form.
func (f Form) Context(context datatype.Type) datatype.Type {
	data := f.Data
	if data.Kinds == 0 {
		data = datatype.Of(datatype.Struct)
	}
	return context.With(map[string]datatype.Type{"data": data, "old": data})
}
