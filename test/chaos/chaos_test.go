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

// Package chaos breaks things around kube-trigger, on a real API server, and
// counts what was acted on.
//
// Each scenario has a short form, which is a test like any other, and a long
// one, with -long, whose figures are in docs/reliability.md. What is random
// follows -seed. Limits on time and memory are judged in the long form alone,
// on a program that is built without the race detector.
package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Bool("long", false, "run the scenarios in full")
	flag.Uint64("seed", uint64(time.Now().UnixNano()%1e6), "what is random follows from it")
	flag.String("report", "", "the file whose table of figures is written anew")
	flag.Parse()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// flagValue returns the value of one of the flags above.
func flagValue[T any](name string) T {
	return flag.Lookup(name).Value.(flag.Getter).Get().(T)
}

// scenario is one way to break things, and what has to hold nevertheless.
type scenario struct {
	name  string
	claim string
	run   func(t *trial)
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
	}
}

func TestChaos(t *testing.T) {
	seed := flagValue[uint64]("seed")
	t.Logf("-seed %d", seed)
	where := machine()
	bench := newEnvironment(t)
	var rows []row
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			r := &trial{T: t, environment: bench, long: flagValue[bool]("long")}
			var number uint64
			if _, err := fmt.Sscanf(s.name, "%d-", &number); err != nil {
				t.Fatal(err)
			}
			r.random = rand.New(rand.NewPCG(seed, number)) //nolint:gosec // it has to be repeatable
			start := time.Now()
			defer func() {
				rows = append(rows, row{scenario: s, figures: r.figures, failed: t.Failed(), took: time.Since(start)})
			}()
			s.run(r)
		})
	}
	table := table(where, seed, rows)
	t.Log("\n" + table)
	if file := flagValue[string]("report"); file != "" {
		if err := replaceTable(file, table); err != nil {
			t.Error(err)
		}
	}
}

// trial is one run of a scenario.
type trial struct {
	*testing.T
	*environment
	long    bool
	random  *rand.Rand
	figures []string
}

// with returns a trial within t, whose random numbers follow from a seed of its
// own.
func (t *trial) with(sub *testing.T, seed uint64) *trial {
	return &trial{T: sub, environment: t.environment, long: t.long, random: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // it has to be repeatable
}

// size is how much of something there is.
func (t *trial) size(short, long int) int {
	if t.long {
		return long
	}
	return short
}

// figure adds to what the table says of the scenario.
func (t *trial) figure(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.figures = append(t.figures, text)
	t.Log(text)
}

// row is a line of the table.
type row struct {
	scenario
	figures []string
	failed  bool
	took    time.Duration
}

func table(where string, seed uint64, rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nSeed %d.\n\n| scenario | what has to hold | figures | |\n| --- | --- | --- | --- |\n", where, seed)
	for _, r := range rows {
		result := "passed"
		if r.failed {
			result = "**failed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s; %.0f s | %s |\n", r.name, r.claim, strings.Join(r.figures, "; "), r.took.Seconds(), result)
	}
	return b.String()
}

// Marks of the part of a file that splice replaces.
const (
	tableBegins = "<!-- begin: written by `make chaos` -->\n"
	tableEnds   = "<!-- end -->\n"
)

func replaceTable(file, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return fmt.Errorf("%s: no place for the table", file)
	}
	return os.WriteFile(file, []byte(before+tableBegins+table+tableEnds+after), 0o644) //nolint:gosec // it is public
}
