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
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// rehearsingPage is the page about recording and simulating.
const rehearsingPage = "docs/rehearsing.md"

// TestRehearsing_Commands runs the commands of docs/rehearsing.md with its triggers, while a
// ConfigMap is edited.
func TestRehearsing_Commands(t *testing.T) {
	c := cluster.Start(t)
	maps := c.Client(t).CoreV1().ConfigMaps(c.Namespace(t))
	settings, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var commands, triggers []string
	for _, b := range codeBlocks(t, rehearsingPage) {
		if b.language == "yaml" {
			triggers = append(triggers, strings.ReplaceAll(b.text, "namespace: prod", "namespace: "+settings.Namespace))
		} else {
			commands = append(commands, lines(b.text)...)
		}
	}
	if len(commands) != 4 || len(triggers) != 2 {
		t.Fatalf("got commands %q and triggers %q, want 4 and 2", commands, triggers)
	}
	dir := workspace(t, c, map[string]string{"triggers.yaml": triggers[0], "new.yaml": triggers[1]})
	edit := func(t *testing.T, color string) {
		t.Helper()
		if _, err := maps.Patch(t.Context(), "settings", types.MergePatchType, fmt.Appendf(nil, `{"data": {"color": %q}}`, color), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, line := range commands {
		t.Run(strings.Fields(line)[1], func(t *testing.T) {
			line := "bin/" + line
			if i >= 2 {
				checkReport(t, line, shell(t, dir, line))
				return
			}
			if i == 0 {
				line += " --log-level info" // startTrigger waits for the log
			}
			startTrigger(t, dir, line)
			before := matches(t, dir)
			cluster.Eventually(t, "an edit in the journal", func(context.Context) error {
				edit(t, "green") // the watch of ConfigMaps may begin after another one
				edit(t, "blue")
				if n := matches(t, dir); n <= before {
					return fmt.Errorf("%s: got %d matches, as before", line, n)
				}
				return nil
			})
		})
	}
}

// checkReport checks that a report has the headings and the column titles that the page shows for
// the command.
func checkReport(t *testing.T, line, report string) {
	t.Helper()
	_, shown, _ := strings.Cut(read(t, rehearsingPage), strings.TrimPrefix(line, "bin/")+"\n```\n")
	shown, _, _ = strings.Cut(shown, "\n## ")
	titles := 0
	for _, want := range lines(shown) {
		if !strings.HasPrefix(want, "    TRIGGER ") && !(strings.HasPrefix(want, "    ") && strings.HasSuffix(want, ":")) {
			continue
		}
		titles++
		if want = strings.Join(strings.Fields(want), " "); !strings.Contains(strings.Join(strings.Fields(report), " "), want) {
			t.Errorf("%s: the page shows %q, got\n%s", line, want, report)
		}
	}
	if titles < 3 {
		t.Errorf("%s: got %d titles on the page, want at least 3", line, titles)
	}
}

// matches returns how many of the edits in the journal of dir matched.
func matches(t *testing.T, dir string) int {
	t.Helper()
	if files, err := filepath.Glob(filepath.Join(dir, "week", "*")); err != nil || len(files) == 0 {
		return 0 // the first event makes the first file
	}
	var report struct{ Triggers []struct{ Matched int } }
	if err := json.Unmarshal([]byte(shell(t, dir, "bin/kube-trigger simulate -f triggers.yaml --journal week -o json")), &report); err != nil {
		t.Fatal(err)
	}
	return report.Triggers[0].Matched
}
