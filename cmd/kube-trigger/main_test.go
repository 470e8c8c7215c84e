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
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

// TestMain makes this program the command, too: for scripts, and for what the
// command starts when a test runs it in this process.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == checkConfigCommand().Name() {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"kube-trigger": main})
}

// TestScripts runs testdata/script/*.txtar: each is a command line, its input
// and what it prints.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		// limited: the memory of a check is limited, as in pkg/admission.
		Condition: func(name string) (bool, error) {
			if name != "limited" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			info, ok := debug.ReadBuildInfo()
			raced := ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
			return runtime.GOOS == "linux" && !raced, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits CODE COMMAND...: the command ends with this code.
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
