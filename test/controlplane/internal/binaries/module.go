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

package binaries

import (
	"fmt"
	"regexp"
)

// Module is a go.mod that requires etcd and Kubernetes, and its go.sum.
type Module struct{ Mod, Sum []byte }

type versions struct{ kubernetes, etcd string }

func (m Module) versions() (versions, error) {
	kubernetes, err := m.version("k8s.io/kubernetes")
	if err != nil {
		return versions{}, err
	}
	etcd, err := m.version("go.etcd.io/etcd/server/v3")
	return versions{kubernetes: kubernetes, etcd: etcd}, err
}

// version returns the required version of a module, without the leading v.
func (m Module) version(path string) (string, error) {
	found := regexp.MustCompile(`(?m)^\s*(?:require\s+)?` + regexp.QuoteMeta(path) + `\s+v(\S+)`).FindSubmatch(m.Mod)
	if found == nil {
		return "", fmt.Errorf("go.mod does not require %s", path)
	}
	return string(found[1]), nil
}
