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

package docs

import (
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"
)

// manifestKind finds the group, version and kind of a manifest.
var manifestKind = regexp.MustCompile(`(?s)^apiVersion: (\S+)\nkind: (\S+)\n`)

// isManifest reports whether a code block has objects of Kubernetes, or the rules of a role, which
// TestManifests checks.
func isManifest(text string) bool {
	return strings.HasPrefix(text, "rules:\n") || newObject(text) != nil
}

// newObject returns an empty object of the kind of a manifest, or nil if it is no kind that the
// documents have.
func newObject(text string) any {
	m := manifestKind.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	switch m[1] + " " + m[2] {
	case "rbac.authorization.k8s.io/v1 Role":
		return &rbacv1.Role{}
	case "rbac.authorization.k8s.io/v1 ClusterRole":
		return &rbacv1.ClusterRole{}
	case "rbac.authorization.k8s.io/v1 ClusterRoleBinding":
		return &rbacv1.ClusterRoleBinding{}
	case "v1 ResourceQuota":
		return &corev1.ResourceQuota{}
	case "v1 Config":
		return &clientcmdv1.Config{}
	}
	return nil
}

// TestManifests checks that the manifests of the documents have known fields only.
func TestManifests(t *testing.T) {
	checked := 0
	for _, b := range codeBlocks(t, documents(t)...) {
		if b.language != "yaml" || !isManifest(b.text) {
			continue
		}
		for _, manifest := range strings.Split(b.text, "\n---\n") {
			object := newObject(manifest)
			if object == nil {
				object = &rbacv1.Role{} // its rules
			}
			if err := yaml.UnmarshalStrict([]byte(manifest), object); err != nil {
				t.Errorf("%s: %v\n%s", b.file, err, manifest)
			}
			checked++
		}
	}
	if checked < 8 {
		t.Errorf("got %d manifests, want at least 8", checked)
	}
}
