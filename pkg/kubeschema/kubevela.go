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

package kubeschema

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
)

// kubeVelaSchemas are the CustomResourceDefinitions of KubeVela, without descriptions.
//
//go:embed kubevela.json.gz
var kubeVelaSchemas []byte

// kubeVela returns the schemas of KubeVela's kinds in a group. They are decoded each time: few triggers
// need them, and only when they are compiled.
func kubeVela(group string) *Schemas {
	s := &Schemas{}
	if group != v1beta1.Group {
		return s
	}
	compressed, err := gzip.NewReader(bytes.NewReader(kubeVelaSchemas))
	if err != nil {
		return s
	}
	if text, err := io.ReadAll(compressed); err == nil {
		_, _ = s.Read(text) // tests read it
	}
	return s
}
