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

// Package app wires the packages of kube-trigger into a program. It builds
// clients, stores, sources, engines and servers from plain options, and runs them
// until a context ends.
//
// Functions log to the logger of their context. They return an InvalidError if an
// option or the configuration is invalid. The package keeps no state of its own;
// only SetLibraryLoggers changes state of the process.
package app

import "context"

// InvalidError marks an error that the user has to correct: an option or the
// configuration is invalid. Its message is that of Err.
type InvalidError struct{ Err error }

func (e InvalidError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e InvalidError) Unwrap() error { return e.Err }

// ignoreCanceled returns nil if ctx has ended, and err otherwise: a run that is
// stopped has not failed.
func ignoreCanceled(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}
