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

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// NodePrograms returns the paths of kube-scheduler and kubelet, in the version of the API
// server. It builds them unless they are cached, which takes minutes.
func NodePrograms(ctx context.Context) (scheduler, kubelet string, err error) {
	program, err := build(ctx)
	if err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(ctx, program, "build-node")
	cmd.Stderr = os.Stderr // progress of the build
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("build kube-scheduler and kubelet: %w", err)
	}
	lines := strings.Fields(string(out))
	if len(lines) != 2 {
		return "", "", fmt.Errorf("build kube-scheduler and kubelet: got output %q", out)
	}
	return lines[0], lines[1], nil
}
