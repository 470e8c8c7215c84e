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

package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/reference"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// RehearseObjects implements source.ObjectRehearser.
func (s subscription) RehearseObjects(c clock.PassiveClock) source.ObjectFeed {
	f := feed{subscription: s}
	for _, r := range slices.SortedFunc(maps.Keys(s.objects), reference.Reference.Compare) {
		if object, ok := s.objects[r].(source.ObjectRehearser); ok {
			f.feeds = append(f.feeds, object.RehearseObjects(c))
		}
	}
	return f
}

// feed has the feed of each object.
type feed struct {
	subscription
	feeds []source.ObjectFeed
}

// Add implements source.ObjectFeed.
func (f feed) Add(object map[string]any) (out []source.Occurrence) {
	for _, of := range f.feeds {
		out = append(out, of.Add(object)...)
	}
	return out
}

// Change implements source.ObjectFeed.
func (f feed) Change(before, after map[string]any) (out []source.Occurrence) {
	for _, of := range f.feeds {
		out = append(out, of.Change(before, after)...)
	}
	return out
}

// Mismatch implements source.ObjectFeed.
func (f feed) Mismatch(object map[string]any) string {
	for _, of := range f.feeds {
		if of.Mismatch(object) == "" {
			return ""
		}
	}
	names := f.Objects()
	slices.SortFunc(names, cmp.Compare)
	return fmt.Sprintf("the source watches only %s in the namespace %q", strings.Join(names, ", "), f.trigger.Namespace)
}
