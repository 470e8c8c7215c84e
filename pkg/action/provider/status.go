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

package provider

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
)

// StatusError is an answer whose status is not 2xx.
type StatusError struct {
	// Request is the method, scheme and host of what was requested.
	Request string
	// Code is the status, Answer the beginning of the body.
	Code int
	Body string
	// RetryAfter is how long the answer asks to wait; 0 where it does not.
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s answered %d %s", e.Request, e.Code, http.StatusText(e.Code))
	if e.Body != "" {
		text += ": " + e.Body
	}
	return text
}

// Status tells what is to be made of it in the words of the API server: whether
// to try again, and when.
func (e *StatusError) Status() metav1.Status {
	status := metav1.Status{Status: metav1.StatusFailure, Code: int32(e.Code), Reason: metav1.StatusReasonBadRequest, Message: e.Error()} //nolint:gosec // a status has three digits
	switch e.Code {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		status.Code, status.Reason = http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests
	default:
		if e.Code >= http.StatusInternalServerError {
			status.Reason = metav1.StatusReasonServiceUnavailable
		} else if e.Code < http.StatusBadRequest {
			status.Code = http.StatusBadRequest
		}
	}
	if e.RetryAfter > 0 {
		status.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(min((e.RetryAfter+time.Second-1)/time.Second, maxRetryAfter))}
	}
	return status
}

// maxRetryAfter bounds, in seconds, what an answer may ask for.
const maxRetryAfter = 3600

// retryAfter reads the header Retry-After: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(text); err == nil && s > 0 {
		return time.Duration(min(s, maxRetryAfter)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// checkAccepted returns what is wrong where an answer, a JSON object, does not say what
// accept asks for.
func checkAccepted(target string, accept map[string]any, body []byte) error {
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		return fmt.Errorf("%s answered what is no JSON object: %s", target, excerpt(body))
	}
	in, _ := accept["in"].([]any)
	retry, _ := accept["retry"].([]any)
	field := str(accept, "field")
	value := m[field]
	if slices.Contains(in, value) {
		return nil
	}
	text := fmt.Sprintf("%s answered %s %s", target, field, excerpt([]byte(fmt.Sprint(value))))
	if why := str(m, str(accept, "message")); why != "" {
		text += ": " + excerpt([]byte(why))
	}
	if slices.Contains(retry, value) {
		return errors.New(text)
	}
	return &FailedError{Message: text}
}

// excerpt returns the beginning of an answer, in one line.
func excerpt(body []byte) string {
	const maxRunes = 200
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(body[:min(len(body), 4*maxRunes)]), ""))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxRunes {
		text = string(runes[:maxRunes]) + "…"
	}
	return text
}
