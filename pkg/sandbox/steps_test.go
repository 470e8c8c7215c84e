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
	"github.com/kubevela/kube-trigger/test/program"
)

// filters compiles the filters of a request, one step each, and returns their
// problems.
func filters(request []string, s *sandbox.Steps) ([]string, error) {
	problems := make([]string, len(request))
	for i, text := range request {
		switch text {
		case "fail":
			return nil, errors.New("not today")
		case "panic":
			if problems[i] = s.Begin(text); problems[i] == "" {
				panic("at the disco")
			}
			continue
		}
		if problems[i] = s.Begin(text); problems[i] == "" {
			_, list := filter.Compile(text, event.Trigger{})
			problems[i] = list.Error()
		}
	}
	return problems, nil
}

// deep is CUE that overflows the stack when compiled.
const deep = "context: {\n\t>1\n\tif context != _|_ {data: a: 1}\n}"

func TestRun_ResourceExceeded(t *testing.T) {
	request := []string{`context.data.x == "a"`, deep, "context.dta.x == 1", heavyCUE()["time"], "panic", `context.data.x == "b"`}
	want := []string{"", "infinite recursion", "no field", "more than " + childTimeout().String(), "CUE crashed, exit status 2: panic: at the disco", ""}
	if !program.RaceEnabled() { // otherwise there is no memory limit
		request, want = append(request, heavyCUE()["memory"]), append(want, "more than 384 MiB")
	}
	var problems []string
	if err := sandbox.NewChild(1, sandbox.Limits{Step: childTimeout(), Total: 10 * time.Minute}, os.Args[0], "steps").Run(t.Context(), "", request, &problems); err != nil {
		t.Fatal(err)
	}
	if len(problems) != len(want) {
		t.Fatalf("problems %q", problems)
	}
	for i, w := range want {
		if (problems[i] == "") != (w == "") || !strings.Contains(problems[i], w) {
			t.Errorf("%s: %q, want %q", request[i], problems[i], w)
		}
	}
}

func TestRun_Error(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		ctx     context.Context
		request string
		command string
		want    string
	}{
		"not-found": {t.Context(), "", "/nonexistent", "no such file"},
		"canceled":  {canceled, "", os.Args[0], "canceled"},
		"failed":    {t.Context(), "fail", os.Args[0], "not today"},
	} {
		t.Run(name, func(t *testing.T) {
			var problems []string
			err := sandbox.NewChild(1, sandbox.Limits{Step: time.Minute, Total: 10 * time.Minute}, tc.command, "steps").Run(tc.ctx, "", []string{tc.request}, &problems)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
