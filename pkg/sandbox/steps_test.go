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

package sandbox_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// filters compiles the filters of a request, a step each, and returns what is
// wrong with each.
func filters(request []string, s *sandbox.Steps) ([]string, error) {
	found := make([]string, len(request))
	for i, text := range request {
		switch text {
		case "refuse":
			return nil, errors.New("not today")
		case "panic":
			if found[i] = s.Begin(text); found[i] == "" {
				panic("at the disco")
			}
			continue
		}
		if found[i] = s.Begin(text); found[i] == "" {
			_, problems := filter.Compile(text, event.TriggerRef{})
			found[i] = problems.Error()
		}
	}
	return found, nil
}

// deep is CUE that overflows the stack when it is compiled.
const deep = "context: {\n\t>1\n\tif context != _|_ {data: a: 1}\n}"

func TestStepsThatNeedTooMuchAreLeftOut(t *testing.T) {
	request := []string{`context.data.x == "a"`, deep, "context.dta.x == 1", bombs()["time"], "panic", `context.data.x == "b"`}
	want := []string{"", "depends on itself without end", "no field", "more than " + patience().String(), "CUE crashed, exit status 2: panic: at the disco", ""}
	if !raced() { // else there is no limit of memory
		request, want = append(request, bombs()["memory"]), append(want, "more than 512 MiB")
	}
	var found []string
	if err := sandbox.RunSteps(t.Context(), patience(), request, &found, os.Args[0], "steps"); err != nil {
		t.Fatal(err)
	}
	if len(found) != len(want) {
		t.Fatalf("found %q", found)
	}
	for i, w := range want {
		if (found[i] == "") != (w == "") || !strings.Contains(found[i], w) {
			t.Errorf("%s: %q, want %q", request[i], found[i], w)
		}
	}
}

func TestStepsThatAreNotMadeAreAnError(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		ctx     context.Context
		request string
		command string
		want    string
	}{
		"no such program": {t.Context(), "", "/nonexistent", "no such file"},
		"told to end":     {ended, "", os.Args[0], "canceled"},
		"refused":         {t.Context(), "refuse", os.Args[0], "not today"},
	} {
		t.Run(name, func(t *testing.T) {
			var found []string
			err := sandbox.RunSteps(tc.ctx, time.Minute, []string{tc.request}, &found, tc.command, "steps")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
