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
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/printable"
	"github.com/kubevela/kube-trigger/pkg/rehearsal"
)

func testCommand() *cobra.Command {
	var (
		o       app.TestOptions
		out     = output{format: outputTable}
		junit   string
		verbose bool
	)
	cmd := &cobra.Command{
		Use:   "test [DIR|FILE]...",
		Short: "Run the tests of triggers, without a cluster",
		Long: `Run the tests of triggers, without a cluster.

A test says which objects there are, what happens one after the other, and what the triggers
decide, call and leave behind. Tests are in files whose names end in _test.yaml, beside the
triggers. Time advances only where a test says so. Nothing is sent.

The exit code is 0 if all tests pass, 1 if some fail, and 2 if the command line, a test or a
configuration is invalid.`,
		Example: `  # All tests below the working directory
  kube-trigger test

  # Some tests of one file, with a report for CI
  kube-trigger test restart_test.yaml --run 'debounce' --junit report.xml

  # Write what happens into the tests as what is expected
  kube-trigger test --update restart_test.yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.open(cmd); err != nil {
				return err
			}
			o.Paths = args
			results, err := app.Test(cmd.Context(), o)
			if err != nil {
				return err
			}
			if junit != "" {
				if err := writeJUnit(junit, results); err != nil {
					return err
				}
			}
			if out.format != outputTable {
				err = out.document(results)
			} else {
				err = printTests(printable.Writer(out.to), results, verbose)
			}
			return errors.Join(err, verdict(results))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Run, "run", "", "run only the tests whose name matches this regular expression")
	f.BoolVar(&o.Update, "update", false, "write what happens into the tests as what is expected")
	f.StringVar(&junit, "junit", "", "write a report in the format of JUnit to this file")
	f.BoolVarP(&verbose, "verbose", "v", false, "name each test")
	out.addFlag(f)
	return cmd
}

// testConfigCommand is the child process of test.
func testConfigCommand() *cobra.Command {
	return childCommand(app.TestCommand, "Run tests for test", app.ServeTest)
}

// verdict returns an error unless all tests pass.
func verdict(results []app.FileResult) error {
	var failed, total int
	for _, f := range results {
		if len(f.Invalid) > 0 {
			return app.InvalidError{Err: errors.New("some tests cannot run")}
		}
		for _, t := range f.Tests {
			total++
			if len(t.Failures) > 0 {
				failed++
			}
		}
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%d of %d tests failed", failed, total)
	case total == 0:
		return app.InvalidError{Err: errors.New("no test has a name that matches --run")}
	}
	return nil
}

func printTests(w io.Writer, results []app.FileResult, verbose bool) error {
	var out strings.Builder
	for _, f := range results {
		failed := 0
		for _, t := range f.Tests {
			if len(t.Failures) > 0 {
				failed++
				fmt.Fprintf(&out, "FAIL  %s:%d: %s\n", f.File, t.Line, t.Name)
			} else if verbose {
				fmt.Fprintf(&out, "ok    %s:%d: %s (%s)\n", f.File, t.Line, t.Name, t.Duration.Round(time.Millisecond/10))
			}
			for _, failure := range t.Failures {
				out.WriteString(failureText("  ", f.File, failure))
			}
		}
		for _, problem := range f.Invalid {
			fmt.Fprintf(&out, "%s\n", problem)
		}
		switch {
		case len(f.Invalid) > 0:
			fmt.Fprintf(&out, "FAIL  %s: invalid\n", f.File)
		case failed > 0:
			fmt.Fprintf(&out, "FAIL  %s: %d of %d tests failed\n", f.File, failed, len(f.Tests))
		case f.Updated:
			fmt.Fprintf(&out, "ok    %s: updated\n", f.File)
		case len(f.Tests) > 0:
			fmt.Fprintf(&out, "ok    %s: %d passed\n", f.File, len(f.Tests))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// failureText returns the lines of a failure.
func failureText(indent, file string, f rehearsal.Failure) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s%s:%d: %s\n", indent, file, f.Line, f.Message)
	for _, line := range f.Diff {
		fmt.Fprintf(&out, "%s  %s\n", indent, line)
	}
	return out.String()
}

// The elements of a JUnit report.
type (
	junitReport struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     float64     `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
		Error    string      `xml:"system-err,omitempty"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    float64       `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a report in the format of JUnit.
func writeJUnit(path string, results []app.FileResult) error {
	var report junitReport
	for _, f := range results {
		suite := junitSuite{Name: f.File, Tests: len(f.Tests), Errors: len(f.Invalid), Error: strings.Join(f.Invalid, "\n")}
		for _, t := range f.Tests {
			c := junitCase{Name: t.Name, Class: f.File, Time: t.Duration.Seconds()}
			if len(t.Failures) > 0 {
				c.Failure = &junitFailure{Message: t.Failures[0].Message}
				for _, failure := range t.Failures {
					c.Failure.Text += failureText("", f.File, failure)
				}
				suite.Failures++
			}
			suite.Time += c.Time
			suite.Cases = append(suite.Cases, c)
		}
		report.Suites = append(report.Suites, suite)
	}
	text, err := xml.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte(xml.Header), append(text, '\n')...), 0o644) //nolint:gosec // a report for others
}
