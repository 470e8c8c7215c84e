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

package main

import (
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "update the expected output in the scripts")

// TestMain makes the test binary the command of scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){name: main, pluginFile: main})
}

// TestScripts runs testdata/script/*.txtar: each has command lines, their input and
// their output.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		// limited: the memory of a check is limited, as in pkg/sandbox.
		Condition: func(name string) (bool, error) {
			if name != "limited" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			info, ok := debug.ReadBuildInfo()
			raced := ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
			return runtime.GOOS == "linux" && !raced, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits CODE COMMAND...: the command exits with this code.
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				err = ts.Exec(args[1], args[2:]...)
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != want {
					ts.Fatalf("want exit code %d, got %v", want, err)
				}
			},
		},
	})
}
