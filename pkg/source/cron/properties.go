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
	"time"
	"unicode"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
)

// parse checks properties and returns their plan, without the trigger.
func parse(s schema.Lazy, given map[string]any) (plan, diag.List) {
	var p struct {
		Schedule string `json:"schedule"`
		TimeZone string `json:"timeZone"`
		Jitter   string `json:"jitter"`
		Missed   string `json:"missed"`
		Deadline int64  `json:"startingDeadlineSeconds"`
	}
	if diags := s.Decode(given, &p); len(diags) > 0 {
		return plan{}, diags
	}
	var diags diag.List
	text, zone := splitZone(p.Schedule)
	zonePath := "schedule"
	switch {
	case zone == "":
		zone, zonePath = p.TimeZone, "timeZone"
	case p.TimeZone != "" && p.TimeZone != zone:
		diags.Add("schedule", "has time zone %q, but timeZone is %q; set only one of them", zone, p.TimeZone)
	}
	out := plan{
		expression: text, zone: time.UTC, missed: missedPolicy(p.Missed),
		deadline: time.Duration(p.Deadline) * time.Second,
	}
	if location, err := time.LoadLocation(zone); err != nil || zone == "Local" {
		diags.Add(zonePath, `invalid time zone %q; must be an IANA name such as "Europe/Berlin"`, zone)
	} else {
		out.zone = location
	}
	var (
		warnings []string
		err      error
	)
	if out.schedule, warnings, err = parseSchedule(text, out.zone); err != nil {
		diags.Add("schedule", "%v", err)
	}
	for _, w := range warnings {
		out.warnings.Add("schedule", "%q: %s", text, w)
	}
	if p.Jitter != "" {
		out.jitter, err = time.ParseDuration(p.Jitter)
		if err != nil || out.jitter < 0 || out.jitter > MaxJitter {
			diags.Add("jitter", `must be a duration from "0s" to "1h", not %q`, p.Jitter)
		}
	}
	return out, diags
}

// splitZone splits "TZ=Europe/Berlin 0 2 * * *" into schedule and time zone. The zone may be
// on a line of its own.
func splitZone(text string) (schedule, zone string) {
	text = strings.TrimSpace(text)
	for _, prefix := range []string{"TZ=", "CRON_TZ="} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			end := strings.IndexFunc(rest+" ", unicode.IsSpace)
			return strings.TrimSpace(rest[end:]), rest[:end]
		}
	}
	return text, ""
}
