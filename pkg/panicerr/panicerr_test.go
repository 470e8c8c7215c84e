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

package panicerr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

func TestCall(t *testing.T) {
	failed := errors.New("failed")
	if got, err := panicerr.Call(func() (int, error) { return 7, failed }); got != 7 || !errors.Is(err, failed) {
		t.Errorf("without a panic: got %d, %v", got, err)
	}
	for want, f := range map[string]func() (int, error){
		"panic with a value of type string":                   func() (int, error) { panic("secret") },
		"panic: runtime error: invalid memory address or nil": func() (int, error) { var p *int; return *p, nil },
	} {
		_, err := panicerr.Call(f)
		var p *panicerr.Error
		if !errors.As(err, &p) || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %s", err, want)
		} else if !strings.Contains(string(p.Stack), "TestCall") {
			t.Errorf("stack:\n%s", p.Stack)
		}
	}
}
