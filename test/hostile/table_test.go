//go:build hostile

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

package hostile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubevela/kube-trigger/test/figures"
)

// pool returns the latencies of all results, during attacks or otherwise.
func pool(results []result, attacked bool) []time.Duration {
	var all []time.Duration
	for _, r := range results {
		if attacked {
			all = append(all, r.attacked...)
		} else {
			all = append(all, r.quiet...)
		}
	}
	return all
}

// p99 returns the 99th percentile, or 0 for no latencies.
func p99(latencies []time.Duration) time.Duration {
	if len(latencies) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(latencies), cmp.Compare)
	return sorted[len(sorted)*99/100]
}

// table returns the figures of results in Markdown.
func table(ctx context.Context, checked time.Duration, results []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n1,000 TriggerServices of five triggers each, applied at once, were checked in %.0f s.\n\np99 of honest actions over all attacks: %s, otherwise %s.\n\n", figures.Machine(ctx), checked.Seconds(),
		milliseconds(p99(pool(results, true))), milliseconds(p99(pool(results, false))))
	b.WriteString("| attack | | honest actions, p99 | otherwise | new TriggerService ready | tenant's containers ended | |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range results {
		outcome := "passed"
		if r.failed {
			outcome = "**failed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.1f s | %d | %s |\n", r.name, r.what,
			milliseconds(p99(r.attacked)), milliseconds(p99(r.quiet)), r.ready.Seconds(), r.kills, outcome)
	}
	return b.String()
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
