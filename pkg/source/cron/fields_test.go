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

package cron

import (
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// TestParseSchedule_Warnings: what is valid, and probably not meant.
func TestParseSchedule_Warnings(t *testing.T) {
	const either = "ticks on the days of the month and on the days of the week"
	for text, want := range map[string]string{
		// kubernetes/kubernetes#81979, dagster-io/dagster#15294: it ticks each hour.
		"*/90 * * * *":    `the step 90 is larger than the range, so that only minute 0 is left; for an interval, write "@every 90m"`,
		"0 */36 * * *":    `the step 36 is larger than the range, so that only hour 0 is left; for an interval, write "@every 36h"`, // harrisiirak/cron-parser#142
		"30/90 * * * * *": `the step 90 is larger than the range, so that only second 30 is left; for an interval, write "@every 90s"`,
		"0 10-12/5 * * *": `the step 5 is larger than the range, so that only hour 10 is left`,
		"0 0 * */13 *":    `the step 13 is larger than the range, so that only month 1 is left`,
		// kubernetes/kubernetes#125610, dependabot/dependabot-core#15143, apache/airflow#44614.
		"0 18 1-7,15-21 * TUE": either,
		"0 8 1-7 * 1":          either,
		"0 0 */2 * mon":        either,
		"5 12 */100,1-7 * 1":   "the step 100 is larger than the range", // kelektiv/node-cron#890
		"*/60 * * * *":         "",
		"0 */24 * * *":         "",
		"*/7 * * * *":          "",
		"0 0 * */12 *":         "",
		"0 9 1-7 * *":          "",
		"0 9 ? * mon":          "",
		"0 9 1 * ?":            "",
		"@monthly":             "",
		"@every 90m":           "",
	} {
		_, warnings, err := parseSchedule(text, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(warnings, "; "); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// TestField_Parse accepts what the library accepts, which makes the schedule.
func TestField_Parse(t *testing.T) {
	parts := strings.Fields("* ? 0 1 5 6 7 12 31 32 59 60 -1 x mon MON jan monday L 5L 1-3 3-1 mon-fri jan-mar 1-2-3 */2 */0 */x 1/5 1-5/2 1/2/3 5,6 ,5 5, ?/2 05 1- -")
	parser := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	for i, f := range scheduleFields() {
		for _, text := range parts {
			words := strings.Fields("* * * * * *")
			words[i] = text
			_, err := f.parse(text)
			_, libraryErr := parser.Parse(strings.Join(words, " "))
			if strings.HasPrefix(text, "?") && i < 3 || strings.HasPrefix(text, "?") && i == 4 {
				if err == nil {
					t.Errorf("%s %q: accepted", f.name, text)
				}
				continue
			}
			if (err == nil) != (libraryErr == nil) {
				t.Errorf("%s %q: %v, and %v from the library", f.name, text, err, libraryErr)
			}
		}
	}
}
