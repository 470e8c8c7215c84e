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

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
)

// checkerFunc is a checker that counts its calls.
type checkerFunc func(ctx context.Context) (sandbox.Report, error)

func (f checkerFunc) Check(ctx context.Context, _ sandbox.Request) (sandbox.Report, error) {
	return f(ctx)
}

func exceeded(context.Context) (sandbox.Report, error) {
	return sandbox.Report{}, fmt.Errorf("%w: too slow", sandbox.ErrResourceExceeded)
}

func request(filter string) sandbox.Request {
	r := sandbox.Request{Actions: map[string]sandbox.Action{"own": {Source: "x: 1", Previous: "x: 0"}}, Worker: &sandbox.Worker{}}
	r.Service.Namespace, r.Service.Name = "a", "main"
	r.Service.Spec.Triggers = []v1alpha1.Trigger{{Filter: filter}, {Name: "second"}}
	return r
}

// check checks a request.
func check(t *testing.T, c *checks, r sandbox.Request) (sandbox.Report, error) {
	t.Helper()
	hash, err := hashOf(r)
	if err != nil {
		t.Fatal(err)
	}
	return c.check(t.Context(), client.ObjectKeyFromObject(&r.Service), hash)
}

// newTestChecks returns checks of current, all of which exceed the limits of the quick
// checker.
func newTestChecks(current *sandbox.Request, thorough sandbox.Checker) *checks {
	o := Options{MaxChecks: 1, Checker: checkerFunc(exceeded), ThoroughChecker: thorough}
	return newChecks(o, func(context.Context, types.NamespacedName) (sandbox.Request, error) { return *current, nil })
}

// TestChecks_Turns: nobody waits in check, and a namespace with one TriggerService does not
// wait for all those of another.
func TestChecks_Turns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		checker := requestChecker(func(r sandbox.Request) {
			time.Sleep(time.Second)
			order = append(order, r.Service.Namespace)
		})
		named := func(namespace, name string) sandbox.Request {
			r := request("")
			r.Service.Namespace, r.Service.Name = namespace, name
			return r
		}
		c := newChecks(Options{Checker: checker}, func(_ context.Context, key types.NamespacedName) (sandbox.Request, error) {
			return named(key.Namespace, key.Name), nil
		})
		start := time.Now()
		for n := range 20 {
			_, _ = check(t, c, named("hostile", fmt.Sprint(n)))
		}
		synctest.Wait()
		if _, err := check(t, c, named("honest", "main")); !errors.Is(err, errChecking) {
			t.Fatalf("got %v, want errChecking", err)
		}
		if waited := time.Since(start); waited > 0 {
			t.Errorf("check waited %s", waited)
		}
		for range 21 {
			<-c.finished
		}
		if n := slices.Index(order, "honest"); n < 0 || n > 1 {
			t.Errorf("order %q, want honest first or second", order)
		}
	})
}

// requestChecker is a checker that calls a function for each request.
type requestChecker func(r sandbox.Request)

func (f requestChecker) Check(_ context.Context, r sandbox.Request) (sandbox.Report, error) {
	f(r)
	return sandbox.Report{}, nil
}

// TestChecks_Background: a check that the quick checker gives up ends in the background,
// and its report is kept.
func TestChecks_Background(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		current := request("")
		calls, proceed := 0, make(chan struct{})
		c := newTestChecks(&current, checkerFunc(func(ctx context.Context) (sandbox.Report, error) {
			calls++
			select {
			case <-proceed:
				return sandbox.Report{UnknownActions: map[string]string{"x": "y"}}, nil
			case <-ctx.Done():
				return sandbox.Report{}, ctx.Err()
			}
		}))
		for range 3 {
			if _, err := check(t, c, request("")); !errors.Is(err, errChecking) {
				t.Fatalf("got %v, want errChecking", err)
			}
		}
		synctest.Wait()
		close(proceed)
		if e := <-c.finished; e.Object.GetNamespace() != "a" || e.Object.GetName() != "main" {
			t.Errorf("finished: %v", e.Object)
		}
		report, err := check(t, c, request(""))
		if err != nil || report.UnknownActions["x"] != "y" || calls != 1 {
			t.Errorf("report %+v, error %v, %d checks", report, err, calls)
		}
	})
}

// TestChecks_Cancelled cancels the check of a TriggerService that is changed or deleted.
func TestChecks_Cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		current := request("")
		cancelled := 0
		c := newTestChecks(&current, checkerFunc(func(ctx context.Context) (sandbox.Report, error) {
			<-ctx.Done()
			cancelled++
			return sandbox.Report{}, ctx.Err()
		}))
		for i := range 2 {
			current = request(fmt.Sprint(i))
			if _, err := check(t, c, current); !errors.Is(err, errChecking) {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if cancelled != 1 {
			t.Errorf("after a change: %d cancelled, want 1", cancelled)
		}
		r := request("")
		c.remove(client.ObjectKeyFromObject(&r.Service))
		synctest.Wait()
		if cancelled != 2 {
			t.Errorf("after the deletion: %d cancelled, want 2", cancelled)
		}
	})
}

// TestChecks_Refused refuses all of a TriggerService whose check exceeds the limits, and
// does not check it again.
func TestChecks_Refused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		current := request("")
		calls := 0
		c := newTestChecks(&current, checkerFunc(func(ctx context.Context) (sandbox.Report, error) {
			calls++
			return exceeded(ctx)
		}))
		if _, err := check(t, c, request("")); !errors.Is(err, errChecking) {
			t.Fatal(err)
		}
		<-c.finished
		for range 2 {
			report, err := check(t, c, request(""))
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Triggers) != 2 || report.Triggers[0].Name != "main-0" || report.Triggers[1].Name != "second" {
				t.Fatalf("triggers %+v", report.Triggers)
			}
			for _, r := range report.Triggers {
				if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "too slow") || !r.ResourceExceeded {
					t.Errorf("trigger %+v", r)
				}
			}
			if got := report.ActiveTemplates(request("").Actions)["own"]; got != "x: 0" || report.Deployment != nil || len(report.WorkerProblems) != 1 {
				t.Errorf("action %q, worker %v %v", got, report.Deployment, report.WorkerProblems)
			}
		}
		if calls != 1 {
			t.Errorf("%d checks, want 1", calls)
		}
	})
}

// TestChecks_Error returns the error of a check that failed, or whose request could not be
// made, once: the caller retries it when it chooses.
func TestChecks_Error(t *testing.T) {
	failed := errors.New("failed")
	current := request("")
	for name, c := range map[string]*checks{
		"check": newTestChecks(&current, checkerFunc(func(context.Context) (sandbox.Report, error) { return sandbox.Report{}, failed })),
		"request": newChecks(Options{Checker: checkerFunc(exceeded)}, func(context.Context, types.NamespacedName) (sandbox.Request, error) {
			return sandbox.Request{}, failed
		}),
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				if _, err := check(t, c, request("")); !errors.Is(err, errChecking) {
					t.Fatal(err)
				}
				<-c.finished
				if _, err := check(t, c, request("")); !errors.Is(err, failed) {
					t.Fatalf("got %v, want the error", err)
				}
			}
		})
	}
}
