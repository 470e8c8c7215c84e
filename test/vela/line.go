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

package vela

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// line is the KubeVela that tests run.
type line struct {
	version string
	core    string // the path of vela-core
	cli     string // the path of the vela CLI
	chart   string // the folder of the chart vela-core
}

// kubeVelaLine returns the line of the environment variables KUBEVELA_CORE, KUBEVELA_CLI and
// KUBEVELA_CHART, if they are set. Otherwise it is the version that the module test/kubevela
// requires, which it builds unless it is cached.
func kubeVelaLine(ctx context.Context) (line, error) {
	l := line{core: os.Getenv("KUBEVELA_CORE"), cli: os.Getenv("KUBEVELA_CLI"), chart: os.Getenv("KUBEVELA_CHART")}
	if l.core == "" && l.cli == "" && l.chart == "" {
		return builtLine(ctx)
	}
	if l.core == "" || l.cli == "" || l.chart == "" {
		return line{}, errors.New("set all of KUBEVELA_CORE, KUBEVELA_CLI and KUBEVELA_CHART, or none")
	}
	cmd := exec.CommandContext(ctx, l.cli, "version")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+os.DevNull)
	out, err := cmd.CombinedOutput() // without a cluster, it prints its version and fails
	match := regexp.MustCompile(`CLI Version: (v\S+)`).FindSubmatch(out)
	if match == nil {
		return line{}, fmt.Errorf("KUBEVELA_CLI: %s version: got %w and output %q, want a version", l.cli, err, out)
	}
	l.version = string(match[1])
	return l, nil
}

// Version returns the version of KubeVela, such as v1.9.13.
func (k *KubeVela) Version() string { return k.line.version }

// builtLine returns the version that the module test/kubevela requires.
func builtLine(ctx context.Context) (line, error) {
	m, err := kubeVela(ctx)
	if err != nil {
		return line{}, err
	}
	dir, err := m.build(ctx, "github.com/oam-dev/kubevela/version.VelaVersion",
		"github.com/oam-dev/kubevela/cmd/core", "github.com/oam-dev/kubevela/references/cmd/cli")
	return line{
		version: m.Version, core: filepath.Join(dir, "core"), cli: filepath.Join(dir, "cli"),
		chart: filepath.Join(m.Dir, "charts", "vela-core"),
	}, err
}
