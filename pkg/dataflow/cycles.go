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

package dataflow

import (
	"slices"
)

// maxCycles limits the circles that are listed.
const maxCycles = 20

// cycles returns the shortest circle through each trigger that is in one, each circle once.
// Circles that are certain come first.
func cycles(flows []Flow) []Cycle {
	n := len(flows)
	may, certain := make([][]bool, n), make([][]bool, n)
	for i, from := range flows {
		may[i], certain[i] = make([]bool, n), make([]bool, n)
		for j, to := range flows {
			for _, u := range from.Uses {
				if len(writes(u)) == 0 {
					continue
				}
				how := feeds(from, u, to)
				may[i][j], certain[i][j] = may[i][j] || how.may, certain[i][j] || how.certain
			}
		}
	}
	var out []Cycle
	add := func(edges [][]bool, isCertain bool) {
		for start := range n {
			path := shortestCycle(edges, start)
			if path == nil || len(out) == maxCycles {
				continue
			}
			first := slices.Index(path, slices.Min(path))
			path = slices.Concat(path[first:], path[:first])
			c := Cycle{Certain: isCertain}
			for _, i := range path {
				c.Triggers = append(c.Triggers, flows[i].Trigger.String())
				c.Allowed = c.Allowed || flows[i].AllowsSelf
			}
			if !slices.ContainsFunc(out, func(o Cycle) bool { return slices.Equal(o.Triggers, c.Triggers) }) {
				out = append(out, c)
			}
		}
	}
	add(certain, true)
	add(may, false)
	return out
}

// shortestCycle returns the nodes of a shortest path from start to itself, beginning with start;
// nil if there is none.
func shortestCycle(edges [][]bool, start int) []int {
	previous := map[int]int{}
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		i := queue[0]
		for j, leads := range edges[i] {
			if !leads {
				continue
			}
			if j == start {
				path := []int{i}
				for i != start {
					i = previous[i]
					path = append(path, i)
				}
				slices.Reverse(path)
				return path
			}
			if _, seen := previous[j]; !seen {
				previous[j] = i
				queue = append(queue, j)
			}
		}
	}
	return nil
}
