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
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// field is a field of a schedule.
type field struct {
	name     string
	min, max int
	// names are the names of the values from min on; nil if they have none.
	names []string
	// unit is the unit of a duration that the field counts; empty if it counts none.
	unit string
}

// scheduleFields returns the fields of a schedule, seconds first.
func scheduleFields() []field {
	return []field{
		{"second", 0, 59, nil, "s"},
		{"minute", 0, 59, nil, "m"},
		{"hour", 0, 23, nil, "h"},
		{"day of month", 1, 31, nil, ""},
		{"month", 1, 12, strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec"), ""},
		{"day of week", 0, 6, strings.Fields("sun mon tue wed thu fri sat"), ""},
	}
}

// element is an element of the list in a field.
type element struct {
	low, high, step int
}

// parse returns the elements of the field. Its errors say what would be right.
func (f field) parse(text string) ([]element, error) {
	var list []element
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' }) {
		e, err := f.parseElement(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		list = append(list, e)
	}
	return list, nil
}

func (f field) parseElement(text string) (element, error) {
	values, stepText, hasStep := strings.Cut(text, "/")
	e, err := f.parseRange(values)
	if err != nil || !hasStep {
		return e, err
	}
	if !strings.Contains(values, "-") {
		e.high = f.max
	}
	if e.step, err = strconv.Atoi(stepText); err != nil || e.step < 1 {
		return e, fmt.Errorf("%q: the step must be a whole number from 1, not %q", text, stepText)
	}
	return e, nil
}

// parseRange parses an element without its step.
func (f field) parseRange(text string) (element, error) {
	if text == "*" || text == "?" && strings.HasPrefix(f.name, "day") {
		return element{f.min, f.max, 1}, nil
	}
	if text == "?" {
		return element{}, fmt.Errorf(`"?" stands for any day, and is not the %s`, f.name)
	}
	first, last, isRange := strings.Cut(text, "-")
	low, err := f.value(first)
	if err != nil || !isRange {
		return element{low, low, 1}, err
	}
	high, err := f.value(last)
	if err == nil && low > high {
		err = fmt.Errorf("%q: the range ends before it begins; write %q", text, f.split(first, last, low, high))
	}
	return element{low, high, 1}, err
}

// value parses a number or a name.
func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err == nil && n >= f.min && n <= f.max {
		return n, nil
	}
	or := ""
	if f.names != nil {
		or = " or one of " + strings.Join(f.names, ", ")
	}
	return 0, fmt.Errorf("%q is not a number from %d to %d%s%s", text, f.min, f.max, or, f.hint(text))
}

// hint says what is right instead of what other dialects write.
func (f field) hint(text string) string {
	switch {
	case f.max == 6 && text == "7":
		return "; Sunday is 0 or sun"
	case strings.HasPrefix(text, "H"):
		return "; H is not supported: set jitter"
	case strings.HasPrefix(f.name, "day") && isQuartzDay(text):
		return "; L, W and # are not supported: select the days in the filter"
	}
	return ""
}

// isQuartzDay reports whether text is a day as Quartz and Amazon EventBridge write it: the
// last one, the nearest working day, or the nth day of the week.
func isQuartzDay(text string) bool {
	ok, err := regexp.MatchString(`(?i)^(l|w|lw|[0-9]+[lw]|[a-z]{3}l|.*#.*)$`, text)
	return ok && err == nil
}

// split returns the two ranges that a range which wraps around stands for.
func (f field) split(first, last string, low, high int) string {
	begin, end := strconv.Itoa(f.min), strconv.Itoa(f.max)
	if f.names != nil {
		begin, end = f.names[0], f.names[len(f.names)-1]
	}
	if low < f.max {
		first += "-" + end
	}
	if high > f.min {
		last = begin + "-" + last
	}
	return first + "," + last
}

// warning returns what is probably not meant by the elements of the field; empty for
// nothing.
func (f field) warning(list []element) string {
	for _, e := range list {
		if e.step <= e.high-e.low+1 {
			continue
		}
		text := fmt.Sprintf("the step %d is larger than the range, so that only %s %d is left", e.step, f.name, e.low)
		if f.unit != "" {
			text += fmt.Sprintf(`; for an interval, write "@every %d%s"`, e.step, f.unit)
		}
		return text
	}
	return ""
}
