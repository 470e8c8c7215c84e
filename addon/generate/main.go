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

// Command generate writes the generated files of the addon.
//
// It writes what actions declare of rights into definitions/trigger.cue. It writes CUE to
// addon/resources and addon/definitions, from addon/crds, actions, definitions and the worker
// templates. From addon/resources it writes the
// manifests for clusters without KubeVela, to addon/manifests, addon/policies,
// addon/webhook and addon/network.
package main

import (
	"fmt"
	"os"

	"cuelang.org/go/cue/errors"
)

func main() {
	if err := generate(); err != nil {
		fmt.Fprint(os.Stderr, "generate: ", errors.Details(err, nil))
		os.Exit(1)
	}
}

// generate writes the generated files. The working directory is the root of the
// repository.
func generate() error {
	for _, step := range []func() error{
		func() error { return crds("addon") },
		func() error { return templates("addon/resources") },
		func() error { return rights("definitions") },
		func() error { return copies("definitions", "addon/definitions") },
		func() error { return anyRights("addon/definitions") },
		func() error { return manifests("addon") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
