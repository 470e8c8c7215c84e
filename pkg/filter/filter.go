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

// Package filter decides with a CUE expression whether an event matters.
package filter

import (
	"context"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// A Filter decides whether an event matters. It is safe for concurrent use.
type Filter interface {
	// Match returns the verdict on ev. An error is neither a yes nor a no: the
	// expression could not be evaluated.
	Match(ctx context.Context, ev event.Event) (Verdict, error)
}

// Verdict is a filter's answer.
type Verdict struct {
	Match bool
	// Path is the part of the event that decided against it, such as
	// "context.data.status.replicas"; empty on a match, or where the
	// expression as a whole was false.
	Path string
	// Reason says why not, in a few words: "context.data.status.replicas is
	// absent". Empty on a match. It never holds a value from the event.
	Reason string
}
