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

// Package measure reads texts that are ordered otherwise than letter by letter: quantities
// of Kubernetes, times and versions. It is the Go form of the functions that filters and
// templates may call.
package measure

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Function is the name of a function.
type Function string

const (
	// Quantity is the number that a Kubernetes quantity such as "10Gi" or "500m" is.
	Quantity Function = "quantity"
	// Timestamp is the seconds from 1970-01-01T00:00:00Z to a time, or to the start of a
	// date in UTC.
	Timestamp Function = "timestamp"
	// Version is a text for a semantic version. The texts of two versions have their order.
	Version Function = "version"
)

// Functions returns all functions.
func Functions() []Function { return []Function{Quantity, Timestamp, Version} }

// maxQuantity is the maximum length of a quantity. Longer ones take minutes to parse.
const maxQuantity = 40

// Pattern returns the regular expression that the texts match which have a value. Times
// are those of RFC 3339, and of senders that leave out its colon or its T, or write UTC:
// 2026-01-02T15:04:05+0000, 2026-01-02 15:04:05 UTC.
func (f Function) Pattern() string {
	switch f {
	case Quantity:
		return `^([+-]?)0*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})$`
	case Timestamp:
		return `^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?) ?(?:(Z|UTC)|([+-][0-9]{2}):?([0-9]{2})))?$`
	}
	return `^v?([0-9]{1,18})(?:\.([0-9]{1,18}))?(?:\.([0-9]{1,18}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$`
}

// Func returns the function of a text or a number. The function returns a float64, or a
// string for a version, and nil where there is no value. It is safe for concurrent use.
func (f Function) Func() func(v any) any {
	pattern := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(f.Pattern()) })
	return func(v any) any {
		text, ok := v.(string)
		if !ok && f == Quantity {
			switch v.(type) {
			case int, int64, float64, json.Number:
				text = fmt.Sprint(v)
			}
		}
		parts := pattern().FindStringSubmatch(text)
		switch {
		case parts == nil:
			return nil
		case f == Quantity:
			return quantity(text)
		case f == Timestamp:
			return timestamp(parts)
		}
		return version(parts)
	}
}

func quantity(text string) any {
	if len(text) > maxQuantity {
		return nil
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return nil
	}
	return q.AsApproximateFloat64()
}

func timestamp(parts []string) any {
	clock, zone := parts[2], "Z"
	if clock == "" {
		clock = "00:00:00"
	}
	if parts[4] != "" {
		zone = parts[4] + ":" + parts[5]
	}
	t, err := time.Parse(time.RFC3339Nano, parts[1]+"T"+clock+zone)
	if err != nil {
		return nil
	}
	return float64(t.Unix()) + float64(t.Nanosecond())/1e9
}

// version gives numbers the same length. The end of a version, ~, comes after each
// pre-release, and the end of its identifiers, !, before each of their characters.
func version(parts []string) any {
	var out strings.Builder
	for i, n := range parts[1:4] {
		if i > 0 {
			out.WriteByte('.')
		}
		out.WriteString(padded(n))
	}
	if parts[4] == "" {
		return out.String() + "~"
	}
	out.WriteByte('!')
	for _, identifier := range strings.Split(parts[4], ".") {
		if len(identifier) <= 18 && strings.Trim(identifier, "0123456789") == "" && identifier != "" {
			out.WriteString("0" + padded(identifier) + "!")
		} else {
			out.WriteString("1" + identifier + "!")
		}
	}
	return out.String()
}

func padded(number string) string { return strings.Repeat("0", 19-len(number)) + number }

// Problem returns why the function has no value for text, and what has one; "" if it has
// one.
func (f Function) Problem(text string) string {
	if f.Func()(text) != nil {
		return ""
	}
	switch f {
	case Quantity:
		return fmt.Sprintf("%q is not a quantity such as \"10Gi\" or \"500m\"%s", text, suggestQuantity(text))
	case Timestamp:
		return fmt.Sprintf("%q is neither a time such as \"2026-01-02T15:04:05Z\" nor a date such as \"2026-01-02\"", text)
	}
	return fmt.Sprintf("%q is not a version such as \"1.10.0\" or \"v2.0.0-rc.1\"", text)
}

// suggestQuantity returns "; did you mean …?" for a text with a unit that is not written
// as Kubernetes does: 10GB, 512mb, 1 gi.
func suggestQuantity(text string) string {
	m := regexp.MustCompile(`^\s*([0-9.]+)\s*([kKmMgGtTpPeE])(i?)[bB]?\s*$`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	unit := strings.ToUpper(m[2])
	if unit == "K" && m[3] == "" {
		unit = "k"
	}
	return fmt.Sprintf("; did you mean %q?", m[1]+unit+m[3])
}
