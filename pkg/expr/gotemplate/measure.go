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

package gotemplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// maxQuantity is the maximum length of a quantity. Longer ones, and exponents of more than
// two digits, take minutes to parse.
const maxQuantity = 40

// quantity returns the number that a Kubernetes quantity such as "10Gi" is, so that `gt`
// and `lt` compare what is measured. A number is itself.
func quantity(value any) (float64, error) {
	var text string
	switch value.(type) {
	case string, int, int64, float64, json.Number:
		text = fmt.Sprint(value)
	}
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if len(text) > maxQuantity || len(strings.TrimLeft(exponent, "+-")) > 2 {
		return 0, errNoQuantity
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0, errNoQuantity
	}
	return q.AsApproximateFloat64(), nil
}

var errNoQuantity = errors.New("not a quantity such as 10Gi or 500m")

// timestamp returns the seconds from 1970-01-01T00:00:00Z to a time in RFC 3339, or to
// the start of a date in UTC.
func timestamp(value any) (float64, error) {
	text, _ := value.(string)
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		return 0, errors.New("neither a time such as 2026-01-02T15:04:05Z nor a date such as 2026-01-02")
	}
	return float64(t.Unix()) + float64(t.Nanosecond())/1e9, nil
}
