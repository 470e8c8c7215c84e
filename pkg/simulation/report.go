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

package simulation

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

const (
	// maxListed is the number of causes and objects of a trigger that a report lists, and
	// maxDifferences that of differences between two configurations.
	maxListed, maxDifferences = 10, 100
)

// Report is what triggers would have done.
type Report struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Records int       `json:"records"`
	// Cut are the files of the journal whose end was not written.
	Cut      []string  `json:"cut,omitempty"`
	Triggers []Trigger `json:"triggers"`
	// Feeds are the triggers whose recorded writes others acted on, and Circles those that
	// feed each other, in order.
	Feeds   []Feed     `json:"feeds,omitempty"`
	Circles [][]string `json:"circles,omitempty"`
	// Comparison is set if there is a second configuration.
	Comparison *Comparison `json:"comparison,omitempty"`
}

// Trigger is what one trigger would have done.
type Trigger struct {
	Trigger string `json:"trigger"`
	// Recordings are the keys of the sources whose recorded events it got, or "schedule"; empty if
	// the journal has no events for it.
	Recordings []string `json:"recordings,omitempty"`
	// Events are all events of its source, Suppressed those that its subscription or its
	// policy dropped, and Failed those whose filter or group failed.
	Events     int `json:"events"`
	Matched    int `json:"matched"`
	Filtered   int `json:"filtered"`
	Suppressed int `json:"suppressed"`
	Failed     int `json:"failed,omitempty"`
	Actions    int `json:"actions"`
	// Objects is the number of objects that it acted on.
	Objects      int          `json:"objects"`
	FilteredBy   []CauseCount `json:"filteredBy,omitempty"`
	SuppressedBy []CauseCount `json:"suppressedBy,omitempty"`
	FailedBy     []CauseCount `json:"failedBy,omitempty"`
	// TopObjects are those with the most actions.
	TopObjects []ObjectCount `json:"topObjects,omitempty"`
	// Busiest is the minute with the most actions.
	Busiest *Minute `json:"busiest,omitempty"`
}

// CauseCount is a cause with the number of events.
type CauseCount struct {
	Cause
	Count int `json:"count"`
}

// ObjectCount is an object with the number of actions.
type ObjectCount struct {
	Object  string `json:"object"`
	Actions int    `json:"actions"`
}

// Minute is a minute with the number of actions.
type Minute struct {
	Start   time.Time `json:"start"`
	Actions int       `json:"actions"`
}

// Feed is a number of events that one trigger wrote, and that matched at another.
type Feed struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Events int    `json:"events"`
}

// Comparison is what a second configuration does differently.
type Comparison struct {
	Triggers []Trigger `json:"triggers"`
	// Different is the number of objects for which a trigger acts more or less often, and
	// Differences are the first of them.
	Different   int          `json:"different"`
	Differences []Difference `json:"differences,omitempty"`
}

// Difference is the number of actions on an object before, with the configuration, and
// after, with the second one.
type Difference struct {
	Trigger string `json:"trigger"`
	Object  string `json:"object"`
	Before  int    `json:"before"`
	After   int    `json:"after"`
}

// report returns the report of lanes, and of those that are compared with them.
func (s *simulation) report(lanes, compared []*lane) Report {
	r := Report{From: s.from, To: s.to, Records: s.records, Cut: s.Journal.Cut}
	feeds := map[string][]string{}
	for _, l := range lanes {
		r.Triggers = append(r.Triggers, l.report())
		for _, from := range slices.SortedFunc(maps.Keys(l.stats.fedBy), compareRefs) {
			r.Feeds = append(r.Feeds, Feed{from.String(), l.ref.String(), l.stats.fedBy[from]})
			feeds[from.String()] = append(feeds[from.String()], l.ref.String())
		}
	}
	r.Circles = circles(feeds)
	if s.Compare != nil {
		r.Comparison = compare(lanes, compared)
	}
	return r
}

func compareRefs(a, b event.TriggerRef) int { return cmp.Compare(a.String(), b.String()) }

// report returns what the trigger did.
func (l *lane) report() Trigger {
	s := l.stats
	t := Trigger{
		Trigger: l.ref.String(), Events: s.events,
		Matched: s.counts[engine.Matched], Filtered: s.counts[engine.Filtered], Suppressed: s.counts[engine.Suppressed],
		Failed: s.counts[engine.DeadLettered], Actions: s.counts[engine.Succeeded], Objects: len(s.objects),
		FilteredBy: top(s.filtered), SuppressedBy: top(s.suppressed), FailedBy: top(s.failed), TopObjects: topObjects(s.objects),
	}
	for stream := range l.streams {
		t.Recordings = append(t.Recordings, stream.Key)
	}
	slices.Sort(t.Recordings)
	t.Recordings = slices.Compact(t.Recordings)
	if l.scheduled {
		t.Recordings = []string{"schedule"}
	}
	if at, n := s.busiest(); n > 0 {
		t.Busiest = &Minute{at, n}
	}
	return t
}

// compare returns the differences between two configurations.
func compare(before, after []*lane) *Comparison {
	type key struct{ trigger, object string }
	counts := map[key][2]int{}
	for i, lanes := range [][]*lane{before, after} {
		for _, l := range lanes {
			for object, n := range l.stats.objects {
				k := key{l.ref.String(), object}
				c := counts[k]
				c[i] = n
				counts[k] = c
			}
		}
	}
	c := &Comparison{}
	for _, l := range after {
		c.Triggers = append(c.Triggers, l.report())
	}
	var all []Difference
	for k, n := range counts {
		if n[0] != n[1] {
			all = append(all, Difference{k.trigger, k.object, n[0], n[1]})
		}
	}
	slices.SortFunc(all, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Trigger, b.Trigger), cmp.Compare(a.Object, b.Object))
	})
	c.Different, c.Differences = len(all), all[:min(len(all), maxDifferences)]
	return c
}

// circles returns the circles among triggers that feed each other: one through each trigger
// that is in any, each once, from its first trigger by name.
func circles(feeds map[string][]string) [][]string {
	var all [][]string
	inOne := map[string]bool{}
	for _, start := range slices.Sorted(maps.Keys(feeds)) {
		if inOne[start] {
			continue
		}
		if circle := path(feeds, start, start); circle != nil {
			all = append(all, circle)
			for _, t := range circle {
				inOne[t] = true
			}
		}
	}
	return all
}

// path returns the shortest way from one trigger to another, without the latter; nil if there
// is none.
func path(feeds map[string][]string, from, to string) []string {
	seen := map[string]bool{}
	for ways := [][]string{{from}}; len(ways) > 0; ways = ways[1:] {
		way := ways[0]
		for _, next := range feeds[way[len(way)-1]] {
			switch {
			case next == to:
				return way
			case !seen[next]:
				seen[next] = true
				ways = append(ways, append(slices.Clone(way), next))
			}
		}
	}
	return nil
}
