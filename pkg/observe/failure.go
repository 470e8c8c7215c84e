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

package observe

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DescribeError describes err without its text, which may quote a response or an object: the
// provider call of the template that failed, the reason and code of the response, and, if
// RBAC denied the request, the verb and the resource.
func DescribeError(err error) string {
	var parts []string
	var call interface{ Place() string }
	if errors.As(err, &call) {
		parts = append(parts, call.Place())
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		parts = append(parts, describeStatus(status.Status()))
	}
	return strings.Join(parts, ": ")
}

// describeStatus returns the reason and the code of a response, such as
// "Forbidden (403): cannot patch configmaps".
func describeStatus(s metav1.Status) string {
	text := string(s.Reason)
	if text == "" {
		text = http.StatusText(int(s.Code))
	}
	if text = fmt.Sprintf("%s (%d)", text, s.Code); s.Reason == metav1.StatusReasonForbidden {
		if m := regexp.MustCompile(`cannot ([a-z]+) resource "([a-z0-9./-]+)" in API group`).FindStringSubmatch(s.Message); m != nil {
			text += fmt.Sprintf(": cannot %s %s", m[1], m[2])
		}
	}
	return text
}
