//go:build unix

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

package renewal

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Exec replaces the process by a new one of the same program, with the same process
// id, arguments and environment. It returns only if that fails.
func Exec() error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDue, err)
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, countVariable+"=") })
	env = append(env, fmt.Sprintf("%s=%d", countVariable, Count()+1))
	err = syscall.Exec(program, os.Args, env) //nolint:gosec // the path of this program
	return fmt.Errorf("%w: %w", ErrDue, err)
}
