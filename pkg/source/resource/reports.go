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

package resource

import (
	"errors"
	"fmt"

	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// report notes what the watch in a cluster says.
func (f *fleet) report(cluster string, why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reports[cluster] = why
	f.tellAll()
}

// unreport forgets what it said.
func (f *fleet) unreport(cluster string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.reports, cluster)
}

// tell says of each trigger what it does not hear of, if that has changed.
func (f *fleet) tell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tellAll()
}

// tellAll is tell. The lock is held.
func (f *fleet) tellAll() {
	if f.Away == nil {
		return
	}
	for _, s := range f.shared {
		away, silent := f.awayOf(s.where)
		why := error(nil)
		if len(away.Clusters) > 0 {
			why = away
		} else if silent > 0 && (away.Working == 0 || f.told[s.trigger.Trigger] != "") {
			continue // until it is known what becomes of them
		}
		text := fmt.Sprint(away.Working > 0, why)
		if f.told[s.trigger.Trigger] != text {
			f.told[s.trigger.Trigger] = text
			f.Away(s.trigger.Trigger, why)
		}
	}
}

// awayOf returns what is not heard of a selection, and of how many clusters neither
// that is known nor that they work.
func (f *fleet) awayOf(where selection) (away *multicluster.Away, silent int) {
	away = &multicluster.Away{Clusters: map[string]error{}}
	judge := func(name string) {
		why, said := f.reports[name]
		switch {
		case !said:
			silent++
		case why == nil:
			away.Working++
		default:
			away.Clusters[name] = why
		}
	}
	for name, c := range f.known.Joined {
		switch {
		case !where.has(c):
		case c.Err != nil:
			away.Clusters[name] = c.Err
		default:
			judge(name)
		}
	}
	for _, name := range where.listed {
		_, joined := f.known.Joined[name]
		switch {
		case name == multicluster.Local:
			judge(name)
		case joined:
		case f.known.Named[name] != nil:
			away.Clusters[name] = f.known.Named[name]
		case f.known.Once[name]:
			away.Clusters[name] = errors.New("is not joined")
		default:
			silent++
		}
	}
	if where.labels != nil {
		if f.known.All != nil {
			away.Clusters[""] = f.known.All
		} else if !f.known.Once[""] {
			silent++
		}
	}
	return away, silent
}
