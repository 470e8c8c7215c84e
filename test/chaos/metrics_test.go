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

package chaos

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// scrape returns the metrics of a worker, by name and labels.
func (w *worker) scrape() map[string]float64 {
	t := w.t
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: waitTimeout}
	response, err := client.Get("http://" + w.logged("serving metrics", "address") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	found := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "} ")
		if !ok {
			name, value, ok = strings.Cut(lines.Text(), " ")
		}
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil {
			found[name] = n
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// sum returns the sum of the metrics with that name and all of the labels.
func sum(metrics map[string]float64, name string, labels ...string) float64 {
	total := 0.0
	for series, value := range metrics {
		metric, values, _ := strings.Cut(series, "{")
		matches := metric == name
		for _, label := range labels {
			matches = matches && strings.Contains(values, label)
		}
		if matches {
			total += value
		}
	}
	return total
}

// suppressed returns the number of events that a trigger suppressed for a reason.
func (w *worker) suppressed(trigger, reason string) int {
	w.t.Helper()
	return int(sum(w.scrape(), "kube_trigger_events_total",
		`trigger="default/`+trigger+`"`, `outcome="suppressed"`, `reason="`+reason+`"`))
}

// waitFor waits until done returns true, and fails the test after waitTimeout.
func (t *harness) waitFor(condition string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(waitTimeout); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("wait for %s: timed out after %s", condition, waitTimeout)
		}
	}
}
