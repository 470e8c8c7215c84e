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

// Package filter compiles CUE expressions into filters, which decide whether a
// trigger acts on an event.
//
// A filter is compiled once, and evaluated for each event. Simple conditions and
// constraints are evaluated without CUE. A filter cannot call providers.
package filter

import (
	"context"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// Filter decides which events a trigger acts on. It is safe for concurrent use.
type Filter interface {
	// Match returns the verdict on ev. An error means that the expression can be
	// evaluated with no event, and says nothing about ev.
	Match(ctx context.Context, ev event.Event) (event.Verdict, error)
	// Explain returns the verdict of Match with the values that each part of the expression
	// has seen.
	Explain(ctx context.Context, ev event.Event) (Explanation, error)
	// ContextFields returns the fields of `context` that the expression depends on.
	ContextFields() expr.FieldSet
	// ByCUE returns what of the expression CUE evaluates, with its place in the text; nil if
	// all of it is compiled.
	ByCUE() diag.List
}
