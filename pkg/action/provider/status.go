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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// StatusError is a response with a status other than 2xx.
type StatusError struct {
	// Request is the method, scheme and host of the request.
	Request string
	// Code is the response status, Body the beginning of the body.
	Code int
	Body string
	// RetryAfter is the delay requested by the response; 0 if there is none.
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s: status %d %s", e.Request, e.Code, http.StatusText(e.Code))
	if e.Body != "" {
		text += ": " + e.Body
	}
	return text
}

// Status implements apierrors.APIStatus, which determines whether and when the call is
// retried. A redirect that was not followed counts as a bad request. The reason is never
// that of an API server's conflict, on which templates are evaluated again at once.
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

// maxRetryAfter is the maximum delay that a response can request, in seconds.
const maxRetryAfter = 3600

// requestedDelay returns the delay that a response requests: in the header Retry-After, or,
// if there are too many requests, in the field retry_after of the body, as Telegram does.
func requestedDelay(response *egress.Response, now time.Time) time.Duration {
	if d := retryAfter(response.Header.Get("Retry-After"), now); d > 0 || response.Status != http.StatusTooManyRequests {
		return d
	}
	type delay struct {
		Seconds float64 `json:"retry_after"`
	}
	var body struct {
		delay
		Parameters delay `json:"parameters"`
	}
	if json.Unmarshal(response.Body, &body) != nil {
		return 0
	}
	return seconds(max(body.Seconds, body.Parameters.Seconds))
}

// seconds returns s as a duration, rounded up to seconds, of at most maxRetryAfter. It
// returns 0 if s is no positive number.
func seconds(s float64) time.Duration {
	if !(s > 0) || math.IsInf(s, 1) {
		return 0
	}
	return time.Duration(math.Ceil(min(s, maxRetryAfter))) * time.Second
}

// retryAfter parses the value of a Retry-After header: seconds, which some servers send with
// a fraction, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		return seconds(s)
	}
	if date, err := http.ParseTime(text); err == nil && date.After(now) {
		return date.Sub(now)
	}
	return 0
}

// checkAccepted returns an error if the field of the response body that accept names
// has none of the accepted values. The error is terminal unless accept lists the value
// in retry. It quotes the body only if carriesSecret is false.
func checkAccepted(ctx context.Context, target string, accept map[string]any, body []byte, carriesSecret bool) error {
	m, err := number.UnmarshalObject(body)
	if err != nil {
		return fmt.Errorf("%s: response is not a JSON object: %s", target, quoteBody(ctx, body, carriesSecret))
	}
	in, _ := accept["in"].([]any)
	retry, _ := accept["retry"].([]any)
	field := str(accept, "field")
	value := m[field]
	if slices.Contains(in, value) {
		return nil
	}
	text := fmt.Sprintf("%s: response has %s %s", target, field, excerpt(ctx, fmt.Sprint(value)))
	if message := str(m, str(accept, "message")); message != "" {
		text += ": " + excerpt(ctx, message)
	}
	if slices.Contains(retry, value) {
		return errors.New(text)
	}
	return &FailedError{Message: text}
}

// maxExcerpt is the maximum length of an excerpt, in bytes.
const maxExcerpt = 400

// quoteBody returns an excerpt of the body of a response. The response to a request that
// carries a secret may repeat it in any form, and is not quoted.
func quoteBody(ctx context.Context, body []byte, carriesSecret bool) string {
	if len(body) > 0 && carriesSecret {
		return "(body not shown: the request carries a secret)"
	}
	return excerpt(ctx, string(body))
}

// excerpt returns the beginning of text in one line of at most maxExcerpt bytes, without the
// secrets of ctx: they are redacted before the text is cut.
func excerpt(ctx context.Context, text string) string {
	_, secrets := redact.Begin(ctx)
	text = secrets.Text(text)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text[:min(len(text), 2*maxExcerpt)], ""))
	return diag.Truncate(strings.Join(strings.Fields(text), " "), maxExcerpt)
}
