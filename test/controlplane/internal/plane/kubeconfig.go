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

package plane

import (
	"encoding/base64"
	"fmt"
	"os"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: kube-trigger
clusters:
- name: kube-trigger
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: %[3]s
  user:
    token: %[4]s
contexts:
- name: kube-trigger
  context:
    cluster: kube-trigger
    user: %[3]s
`

// writeKubeconfig writes a kubeconfig to path, atomically.
func writeKubeconfig(path, server string, ca []byte, user, token string) error {
	text := fmt.Appendf(nil, kubeconfig, server, base64.StdEncoding.EncodeToString(ca), user, token)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}
