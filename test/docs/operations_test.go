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

package docs

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestOperations_Commands runs the commands of docs/operations.md with a trigger whose
// action fails.
func TestOperations_Commands(t *testing.T) {
	c := cluster.Start(t)
	c.InstallApplicationCRD(t)
	dir := workspace(t, c, map[string]string{
		"config.yaml": `
triggers:
  - source: {type: resource-watcher, properties: {apiVersion: v1, kind: Namespace, events: [sync], fieldSelector: metadata.name=default}}
    action: {type: bump-application-revision, properties: {namespace: default}}
    retry: {limit: 0}
`,
	})
	startTrigger(t, dir, "bin/kube-trigger run -c config.yaml")
	const list = "bin/kube-trigger dead-letters list -c config.yaml"
	id := strings.Fields(strings.Split(waitForOutput(t, dir, list, "RetriesExhausted"), "\n")[1])[0]
	commands := 0
	for _, b := range codeBlocks(t, "docs/operations.md") {
		if b.language != "sh" {
			continue
		}
		for _, line := range lines(b.text) {
			out := shell(t, dir, strings.Replace(line, " ID ", " "+id+" ", 1))
			commands++
			if !strings.Contains(line, "dead-letters") {
				if !strings.Contains(out, "config-0") {
					t.Errorf("%s: got %s, want the trigger config-0", line, out)
				}
				continue
			}
			if !strings.Contains(out, id) {
				t.Errorf("%s: got %s, want ID %s", line, out, id)
			}
			if strings.Contains(line, "replay") {
				// The replay fails, and the event is dead-lettered again, without a request.
				waitForOutput(t, dir, list+" | grep -v 'requested' || true", "RetriesExhausted")
			}
		}
	}
	if commands < 6 {
		t.Errorf("docs/operations.md: got %d commands, want at least 6", commands)
	}
	if out := shell(t, dir, list); strings.Contains(out, id) {
		t.Errorf("dead letters after delete: got %s, want none with ID %s", out, id)
	}
}

// TestOperations_Reasons checks that docs/operations.md has a row for each reason in the code, in
// the sections that explain it, and that the code has each reason of the page.
func TestOperations_Reasons(t *testing.T) {
	sections := reasonTables(t, "docs/operations.md")
	all := map[string]bool{}
	for _, group := range []struct {
		files    string
		constant string
		sections []string
		min      int
	}{
		{"pkg/api/v1alpha1/triggerservice_status.go", `^Reason`, []string{"Condition Validated", "Condition WorkerAvailable", "Condition Ready"}, 14},
		{"pkg/api/v1alpha1/triggerservice_status.go", `^TriggerReason`, []string{"States of triggers"}, 13},
		{"pkg/api/core/v1alpha1/definition_types.go", `^Reason`, []string{"Condition Validated of a Definition"}, 2},
		{"pkg/engine/decision.go", `^Reason`, []string{"Decisions"}, 22},
		{"pkg/observe/metrics.go", `^Reason`, []string{"Decisions"}, 1},
		{"pkg/action/provider/scope.go", `^Reason`, []string{"Decisions"}, 3},
		{"pkg/source/source.go", `^(NotSubscribed|NoChange|BeforeStart)$`, []string{"Decisions"}, 3},
		{"pkg/explain/*.go", `^Reason`, []string{"No decision about an object"}, 5},
		{"pkg/app/explain.go", `^reason`, []string{"No decision about an object"}, 4},
		{"pkg/worker/*.go", `(?i)^reason`, []string{"Kubernetes events"}, 2},
		{"pkg/controller/*.go", `^reason`, []string{"Kubernetes events"}, 1},
		{"pkg/engine/replay/*.go", `^Reason`, []string{"Dead letters"}, 1},
		{"pkg/store/cluster/*.go", `^reason`, []string{"Dead letters"}, 1},
	} {
		reasons := constants(t, group.files, regexp.MustCompile(group.constant))
		if len(reasons) < group.min {
			t.Errorf("%s: got reasons %v, want at least %d", group.files, reasons, group.min)
		}
		for _, reason := range reasons {
			all[reason] = true
			if !slices.ContainsFunc(group.sections, func(s string) bool { return slices.Contains(sections[s], reason) }) {
				t.Errorf("docs/operations.md: got no row of reason %s of %s in %v, want one", reason, group.files, group.sections)
			}
		}
	}
	// Other packages have no reasons that users see.
	var others []string
	for _, reason := range constants(t, "pkg/*/*.go", regexp.MustCompile(`^Reason[A-Z]`)) {
		if !all[reason] {
			others = append(others, reason)
		}
	}
	if len(others) > 0 {
		t.Errorf("got reasons %v of packages that this test does not know, want none", others)
	}
	for section, reasons := range sections {
		for _, reason := range reasons {
			if !all[reason] {
				t.Errorf("docs/operations.md: %s: got reason %s, want one of the code", section, reason)
			}
		}
	}
}

// reasonTables returns the reasons in the columns "reason" of a document's tables, by the headings
// of their sections.
func reasonTables(t *testing.T, file string) map[string][]string {
	t.Helper()
	sections := map[string][]string{}
	heading, column := "", -1
	name := regexp.MustCompile("`([A-Z][A-Za-z]+)`")
	for _, line := range strings.Split(withoutCode(read(t, file)), "\n") {
		if marks, text, ok := strings.Cut(line, " "); ok && marks != "" && strings.Trim(marks, "#") == "" {
			heading = text
		}
		if !strings.HasPrefix(line, "|") {
			column = -1
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if column < 0 {
			column = slices.IndexFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "reason" })
			if column < 0 {
				column = len(cells) // a table without reasons
			}
			continue
		}
		if column < len(cells) {
			for _, m := range name.FindAllStringSubmatch(cells[column], -1) {
				sections[heading] = append(sections[heading], m[1])
			}
		}
	}
	return sections
}

// constants returns the values of the string constants in files, a pattern relative to root, whose
// names match a pattern.
func constants(t *testing.T, files string, name *regexp.Regexp) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, files))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: got %v, %v, want files", files, paths, err)
	}
	var values []string
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			declared, ok := d.(*ast.GenDecl)
			if !ok || declared.Tok != token.CONST {
				continue
			}
			for _, s := range declared.Specs {
				v, ok := s.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for i, n := range v.Names {
					if i >= len(v.Values) || !name.MatchString(n.Name) {
						continue
					}
					if literal, ok := v.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
						value, _ := strconv.Unquote(literal.Value)
						values = append(values, value)
					}
				}
			}
		}
	}
	return values
}

// isAlerts reports whether a code block is a PrometheusRule, which TestOperations_Alerts checks.
func isAlerts(text string) bool { return strings.Contains(text, "\nkind: PrometheusRule\n") }

// alertRule is a rule of a PrometheusRule.
type alertRule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// TestOperations_Alerts checks that the alerts of docs/operations.md use metrics and labels that
// the program has, and that the page explains each of them.
func TestOperations_Alerts(t *testing.T) {
	metrics := documentedMetrics(t)
	var rules []alertRule
	for _, b := range codeBlocks(t, "docs/operations.md") {
		if !isAlerts(b.text) {
			continue
		}
		var object struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			Metadata   map[string]any `json:"metadata"`
			Spec       struct {
				Groups []struct {
					Name  string      `json:"name"`
					Rules []alertRule `json:"rules"`
				} `json:"groups"`
			} `json:"spec"`
		}
		if err := yaml.UnmarshalStrict([]byte(b.text), &object); err != nil {
			t.Fatal(err)
		}
		for _, g := range object.Spec.Groups {
			rules = append(rules, g.Rules...)
		}
	}
	if len(rules) < 8 {
		t.Fatalf("got %d alerts, want at least 8", len(rules))
	}
	explained := regexp.MustCompile("(?m)^\\| `(KubeTrigger\\w+)` \\|").FindAllStringSubmatch(read(t, "docs/operations.md"), -1)
	if len(explained) != len(rules) {
		t.Errorf("got %d rows of alerts, want %d", len(explained), len(rules))
	}
	for i, r := range rules {
		if i < len(explained) && explained[i][1] != r.Alert {
			t.Errorf("row %d: got alert %s, want %s", i, explained[i][1], r.Alert)
		}
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
			t.Errorf("%s: got labels %v and annotations %v, want a severity and a summary", r.Alert, r.Labels, r.Annotations)
		}
		if _, err := time.ParseDuration(cmp.Or(r.For, "0s")); err != nil {
			t.Errorf("%s: %v", r.Alert, err)
		}
		checkExpression(t, r, metrics)
	}
}

// checkExpression checks the metrics and labels of an alert's expression, and its parentheses.
func checkExpression(t *testing.T, r alertRule, metrics map[string][]string) {
	t.Helper()
	if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") || strings.Count(r.Expr, "{") != strings.Count(r.Expr, "}") {
		t.Errorf("%s: got %s, want as many closing parentheses as opening ones", r.Alert, r.Expr)
	}
	// Labels that Prometheus adds, by the PodMonitor of the addon.
	labels := []string{"namespace", "pod", "job"}
	used := regexp.MustCompile(`\b(?:kube_trigger_\w+|up)\b`).FindAllString(r.Expr, -1)
	if len(used) == 0 {
		t.Errorf("%s: got %s, want a metric", r.Alert, r.Expr)
	}
	for _, name := range used {
		of, ok := metrics[name]
		if !ok && name != "up" {
			t.Errorf("%s: got metric %s, want one of docs/reference/metrics.md", r.Alert, name)
		}
		labels = append(labels, of...)
	}
	var wanted []string
	for _, m := range regexp.MustCompile(`\bby \(([^)]*)\)`).FindAllStringSubmatch(r.Expr, -1) {
		wanted = append(wanted, regexp.MustCompile(`\w+`).FindAllString(m[1], -1)...)
	}
	// An aggregation drops all other labels.
	kept := wanted
	if len(kept) == 0 {
		kept = labels
	}
	for _, m := range regexp.MustCompile(`[{,]\s*(\w+)[!=]`).FindAllStringSubmatch(r.Expr, -1) {
		wanted = append(wanted, m[1])
	}
	for _, label := range wanted {
		if !slices.Contains(labels, label) {
			t.Errorf("%s: got label %s, want one of %v", r.Alert, label, labels)
		}
	}
	for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(r.Annotations["summary"], -1) {
		if !slices.Contains(kept, m[1]) {
			t.Errorf("%s: got label %s in the summary, want one of %v", r.Alert, m[1], kept)
		}
	}
}

// documentedMetrics returns the labels of the metrics of docs/reference/metrics.md, which a test of
// test/reference compares with those of the program.
func documentedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	metrics := map[string][]string{}
	row := regexp.MustCompile("(?m)^\\| `(kube_trigger_\\w+)` \\| \\w+ \\| ([^|]*) \\|")
	for _, m := range row.FindAllStringSubmatch(read(t, "docs/reference/metrics.md"), -1) {
		metrics[m[1]] = regexp.MustCompile(`\w+`).FindAllString(m[2], -1)
	}
	if len(metrics) < 15 {
		t.Fatalf("docs/reference/metrics.md: got %d metrics, want at least 15", len(metrics))
	}
	return metrics
}

// TestOperations_Metrics checks that the metrics of docs/operations.md exist.
func TestOperations_Metrics(t *testing.T) {
	metrics := documentedMetrics(t)
	for _, name := range regexp.MustCompile(`\bkube_trigger_\w+`).FindAllString(read(t, "docs/operations.md"), -1) {
		if _, ok := metrics[name]; !ok {
			t.Errorf("docs/operations.md: got metric %s, want one of docs/reference/metrics.md", name)
		}
	}
}
