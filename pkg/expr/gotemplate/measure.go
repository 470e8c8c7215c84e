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
	"text/template"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// measures returns the functions that make a number of a text, so that `gt` and `lt`
// compare what is measured.
func measures() template.FuncMap {
	return template.FuncMap{"quantity": quantity, "timestamp": timestamp}
}

// quantity returns the number that a Kubernetes quantity such as "10Gi" is. A number is
// itself.
func quantity(value any) (float64, error) {
	var text string
	switch value.(type) {
	case string, int, int64, float64, json.Number:
		text = fmt.Sprint(value)
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0, errors.New("not a quantity such as 10Gi or 500m")
	}
	return q.AsApproximateFloat64(), nil
}

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
