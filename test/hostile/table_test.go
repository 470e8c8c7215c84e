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
func pool(results []result, attacked bool) latencies {
	var all latencies
	for _, r := range results {
		l := r.quiet
		if attacked {
			l = r.attacked
		}
		all.actions, all.plain = append(all.actions, l.actions...), append(all.plain, l.plain...)
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
	quiet, attacked := pool(results, false), pool(results, true)
	fmt.Fprintf(&b, `%s

1,000 TriggerServices of five triggers each, applied at once, were checked in %.0f s.

Over all attacks and the quiet times in between: p99 of honest actions %s and %s, of a plain client %s and %s.

| attack | | honest actions, p99 | quiet | plain client, p99 | quiet | new TriggerService ready | tenant's containers ended | |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
`, figures.Machine(ctx), checked.Seconds(), milliseconds(p99(attacked.actions)), milliseconds(p99(quiet.actions)), milliseconds(p99(attacked.plain)), milliseconds(p99(quiet.plain)))
	for _, r := range results {
		outcome := "passed"
		if r.failed {
			outcome = "**failed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %.1f s | %d | %s |\n", r.name, r.what,
			milliseconds(p99(r.attacked.actions)), milliseconds(p99(r.quiet.actions)),
			milliseconds(p99(r.attacked.plain)), milliseconds(p99(r.quiet.plain)), r.ready.Seconds(), r.kills, outcome)
	}
	return b.String()
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
