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
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/app"
	"github.com/kubevela/kube-trigger/pkg/printable"
)

// Values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputYAML  = "yaml"
)

// output prints results in the format of --output.
type output struct {
	to     io.Writer
	format string
	// formats are the values of --output; nil for table, json and yaml.
	formats []string
	now     time.Time
}

// allowed returns the values of --output.
func (o *output) allowed() []string {
	if o.formats == nil {
		return []string{outputTable, outputJSON, outputYAML}
	}
	return o.formats
}

// addFlag adds --output, whose default is o.format.
func (o *output) addFlag(f *pflag.FlagSet) {
	f.StringVarP(&o.format, "output", "o", o.format, alternatives(o.allowed()))
	withoutEnv(f, "output")
	annotate(f, "output", flagValues, o.allowed())
}

// open prints to the output of cmd. It returns an error if the format is unknown.
func (o *output) open(cmd *cobra.Command) error {
	o.to = cmd.OutOrStdout()
	if o.format == "" || slices.Contains(o.allowed(), o.format) {
		return nil
	}
	return app.InvalidError{Err: fmt.Errorf("--output %q: must be %s", o.format, alternatives(o.allowed()))}
}

// alternatives returns "a, b or c".
func alternatives(list []string) string {
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// document prints v as JSON or YAML.
func (o output) document(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	// encoding/json escapes only control characters below U+0020.
	data = []byte(printable.Text(string(data)))
	if err == nil && o.format == outputYAML {
		data, err = yaml.JSONToYAML(data)
	}
	if err != nil {
		return err
	}
	// YAML does not escape the formatting characters of bidirectional text.
	_, err = fmt.Fprintln(o.to, printable.Text(strings.TrimRight(string(data), "\n")))
	return err
}

// reportedError is an error that the output tells already: only its exit code remains.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// reported marks err as told by the output; nil stays nil.
func reported(err error) error {
	if err == nil {
		return nil
	}
	return reportedError{err}
}
