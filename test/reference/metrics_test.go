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

package reference_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
)

// metric is the documentation of a metric.
type metric struct {
	kind, help string
	labels     []string
	// buckets are the upper bounds of a histogram.
	buckets []string
}

// TestMetrics checks that docs/reference/metrics.md is up to date with the metrics of a worker,
// and that it has all metrics that the code registers.
func TestMetrics(t *testing.T) {
	all := scrapeMetrics(t)
	files, err := filepath.Glob(root + "/pkg/observe/*.go")
	if err != nil {
		t.Fatal(err)
	}
	registered := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?:counter\(|histogram\(|describe\(|gauge\(|Name: )"([a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			registered++
			if _, ok := all["kube_trigger_"+m[1]]; !ok {
				t.Errorf("%s registers kube_trigger_%s: got no series of it, want one", file, m[1])
			}
		}
	}
	if registered != len(all) {
		t.Errorf("got %d registered metrics and %d with series, want as many", registered, len(all))
	}
	var b strings.Builder
	b.WriteString("# Metrics\n\nLook up each metric of a worker and of `kube-trigger run` here. They serve these metrics at `/metrics` of\n`--metrics-addr`, in the text format of Prometheus. " +
		"[Operations](../operations.md#metrics) explains how to read them and\nhas [alerts](../operations.md#alerts).\n\n" +
		"The controller serves other metrics at its `/metrics`: those of\n[controller-runtime](https://book.kubebuilder.io/reference/metrics-reference), such as\n`controller_runtime_reconcile_errors_total`.\n\n" +
		"`go test ./test/reference -update` writes this page from the metrics that pkg/observe registers.\n\n" +
		"| metric | type | labels | description |\n| --- | --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		if m.help == "" {
			t.Errorf("%s: got no help, want one", name)
		}
		help := m.help
		if len(m.buckets) > 0 {
			help += " Buckets: " + strings.Join(m.buckets, ", ") + "."
		}
		labels := make([]string, 0, len(m.labels))
		for _, l := range m.labels {
			labels = append(labels, "`"+l+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, m.kind, strings.Join(labels, ", "), strings.ReplaceAll(help, "|", `\|`))
	}
	b.WriteString("\nThe Go runtime and the process have metrics as well: `go_*` and `process_*`, such as `process_resident_memory_bytes`.\n\n" +
		"| label | values |\n| --- | --- |\n" +
		"| `trigger` | NAMESPACE/NAME of the trigger. Series of a trigger are deleted with the trigger. |\n" +
		"| `triggerservice` | name of the TriggerService. `kube-trigger run -c` has no such label. |\n" +
		"| `outcome`, `reason` | the [outcome](../operations.md#decisions) of a decision and its reason. The reason of all filtered events is `" + observe.ReasonFilter + "`. |\n" +
		"| `reason` of `kube_trigger_webhook_rejections_total` | why the webhook [rejected the call](../sources.md#answers), such as `Unauthorized`. |\n" +
		"| `source` | the type of the source that failed, and what it watches. |\n\n" +
		"No label contains data of an event.\n")
	checkFile(t, "metrics.md", b.String())
}

// scrapeMetrics returns the metrics of a worker after one observation of each kind, by name.
func scrapeMetrics(t *testing.T) map[string]metric {
	t.Helper()
	ref := event.TriggerRef{Namespace: "team-a", Name: "deploy"}
	m := observe.NewMetrics("web", clock.RealClock{})
	decision := engine.Decision{Trigger: ref, Attempt: 1}
	for _, d := range []struct {
		outcome engine.Outcome
		reason  string
	}{{engine.Succeeded, ""}, {engine.Failed, engine.ReasonError}} {
		decision.Outcome, decision.Reason = d.outcome, d.reason
		m.Observe(decision)
	}
	m.ObserveSource(engine.SourceFailure{Source: "resource-watcher"})
	m.ObserveDeadLetter(engine.DeadLetterResult{Trigger: ref})
	m.ObserveDeadLetter(engine.DeadLetterResult{Trigger: ref, Err: errors.New("the store is full")})
	m.ObserveRejection(ref, "Unauthorized")
	m.ObserveStoreError()
	w := httptest.NewRecorder()
	observe.NewProcess().Handler(func() prometheus.Gatherers {
		return prometheus.Gatherers{m.Gatherer(idleEngine{ref})}
	}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /metrics: got status %d: %s", w.Code, w.Body)
	}
	return parseMetrics(w.Body.String())
}

// parseMetrics returns the metrics of kube-trigger in the text format of Prometheus, by name.
func parseMetrics(text string) map[string]metric {
	all := map[string]metric{}
	label := regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "# HELP kube_trigger_"); ok {
			name, help, _ := strings.Cut(rest, " ")
			all["kube_trigger_"+name] = metric{help: help}
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE kube_trigger_"); ok {
			name, kind, _ := strings.Cut(rest, " ")
			m := all["kube_trigger_"+name]
			m.kind = kind
			all["kube_trigger_"+name] = m
			continue
		}
		series, _, _ := strings.Cut(line, "{")
		series, _, _ = strings.Cut(series, " ")
		name := series
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base := strings.TrimSuffix(series, suffix); all[base].kind == "histogram" {
				name = base
			}
		}
		m, ok := all[name]
		if !ok {
			continue
		}
		for _, found := range label.FindAllStringSubmatch(line, -1) {
			switch {
			case found[1] == "le" && found[2] != "+Inf":
				bound, _ := strconv.ParseFloat(found[2], 64)
				m.buckets = append(m.buckets, strconv.FormatFloat(bound, 'g', 4, 64))
			case found[1] != "le" && !slices.Contains(m.labels, found[1]):
				m.labels = append(m.labels, found[1])
			}
		}
		all[name] = m
	}
	return all
}

// idleEngine is the state of an engine with one trigger.
type idleEngine struct{ trigger event.TriggerRef }

func (e idleEngine) Backlogs() map[event.TriggerRef]engine.Backlog {
	return map[event.TriggerRef]engine.Backlog{e.trigger: {}}
}

func (idleEngine) Quarantines() []engine.Quarantine { return nil }

func (idleEngine) Pauses() []engine.Pause { return nil }
