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

// Package chaos injects faults around kube-trigger, on a real API server, and compares
// the actions with the events.
//
// Each scenario has a short form, which runs with the other tests, and a long form,
// with -long, whose figures are in docs/reliability.md. Random values are derived from
// -seed. Limits on time and memory are checked in the long form only, with a binary
// that is built without the race detector.
package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kubevela/kube-trigger/test/figures"
)

func TestMain(m *testing.M) {
	flag.Bool("long", false, "run the long form of the scenarios")
	flag.Uint64("seed", uint64(time.Now().UnixNano()%1e6), "seed of random values")
	flag.String("report", "", "file whose table of figures is replaced")
	flag.Parse()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// flagValue returns the value of one of the flags above.
func flagValue[T any](name string) T {
	return flag.Lookup(name).Value.(flag.Getter).Get().(T)
}

// scenario injects one kind of fault.
type scenario struct {
	// name begins with the number of the scenario, which seeds its random values.
	name string
	// claim is the fault and the expected result, as a cell of the table.
	claim string
	run   func(t *harness)
}

func scenarios() []scenario {
	return []scenario{
		killedWhileUpdating(),
		killedWhileCreating(),
		outages(),
		brokenConnection(),
		missedWhileDown(),
		restored(),
		slowAction(),
		burst(),
		terminated(),
		failingAction(),
		hangingAction(),
		listedAgain(),
		selfTrigger(),
		million(),
		skewed(),
		bombs(),
		largeObjects(),
		circles(),
		alike(),
		killedSteps(),
	}
}

func TestChaos(t *testing.T) {
	seed := flagValue[uint64]("seed")
	t.Logf("-seed %d", seed)
	info := figures.Machine(t.Context())
	env := newEnvironment(t)
	var rows []row
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			h := &harness{T: t, environment: env, long: flagValue[bool]("long")}
			var number uint64
			if _, err := fmt.Sscanf(s.name, "%d-", &number); err != nil {
				t.Fatal(err)
			}
			h.random = rand.New(rand.NewPCG(seed, number)) //nolint:gosec // reproducible
			start := time.Now()
			defer func() {
				rows = append(rows, row{scenario: s, figures: h.figures, failed: t.Failed(), duration: time.Since(start)})
			}()
			s.run(h)
		})
	}
	table := table(info, seed, rows)
	t.Log("\n" + table)
	if file := flagValue[string]("report"); file != "" {
		if err := figures.Replace(file, "make chaos", table); err != nil {
			t.Error(err)
		}
	}
}

// harness runs one scenario.
type harness struct {
	*testing.T
	*environment
	long    bool
	random  *rand.Rand
	figures []string
}

// subtest returns a harness for sub, with its own seed.
func (t *harness) subtest(sub *testing.T, seed uint64) *harness {
	return &harness{T: sub, environment: t.environment, long: t.long, random: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // reproducible
}

// size returns long in the long form of the scenario, and short in the short form.
func (t *harness) size(short, long int) int {
	if t.long {
		return long
	}
	return short
}

// figure adds a figure to the row of the scenario in the table.
func (t *harness) figure(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.figures = append(t.figures, text)
	t.Log(text)
}

// row is a row of the table.
type row struct {
	scenario
	figures  []string
	failed   bool
	duration time.Duration
}

// table returns the table in Markdown, below the info and the seed.
func table(info string, seed uint64, rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nSeed %d.\n\n| scenario | fault and expected result | figures | |\n| --- | --- | --- | --- |\n", info, seed)
	for _, r := range rows {
		result := "passed"
		if r.failed {
			result = "**failed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s; %.0f s | %s |\n", r.name, r.claim, strings.Join(r.figures, "; "), r.duration.Seconds(), result)
	}
	return b.String()
}
