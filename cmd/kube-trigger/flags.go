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
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagsFromEnv gives every flag that is not on the command line the value of
// its environment variable: --log-level that of LOG_LEVEL.
func flagsFromEnv(cmd *cobra.Command, _ []string) error {
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := envName(f.Name)
		value, ok := os.LookupEnv(name)
		if !ok || value == "" || f.Changed || f.Annotations[noEnv] != nil {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("$%s: invalid value %q: %w", name, value, errors.Unwrap(err)))
		}
	})
	if err := errors.Join(errs...); err != nil {
		return invalid{err}
	}
	return nil
}

// noEnv annotates flags whose variable means something else to others.
const noEnv = "no-environment"

func envName(flag string) string {
	return strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// seconds is a duration flag that takes a bare number as seconds.
type seconds time.Duration

func (s *seconds) Set(text string) error {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		text = fmt.Sprintf("%fs", n)
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("must be longer than 0s")
	}
	*s = seconds(d)
	return err
}

func (s *seconds) String() string { return time.Duration(*s).String() }

// Type names the value in the help.
func (s *seconds) Type() string { return "duration" }

// positive is an integer flag from 1.
type positive int

func (p *positive) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return errors.New("must be a whole number")
	}
	if n < 1 {
		return errors.New("must be 1 or more")
	}
	*p = positive(n)
	return nil
}

func (p *positive) String() string { return strconv.Itoa(int(*p)) }

// Type names the value in the help.
func (p *positive) Type() string { return "int" }
