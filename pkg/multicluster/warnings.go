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

package multicluster

import (
	"net/http"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/warning"
)

// maxWarning is the maximum length of a warning of an API server, in bytes.
const maxWarning = 256

// Warnings returns a client like c that adds the warnings of the API server, such as an
// unknown field in a patch, to those of the request's context, without the values that the
// context has to redact.
func Warnings(c *http.Client) *http.Client {
	return withTransport(c, func(next http.RoundTripper) http.RoundTripper { return warningTransport{next} })
}

type warningTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t warningTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil || len(resp.Header["Warning"]) == 0 {
		return resp, err
	}
	_, secrets := redact.Begin(r.Context())
	parsed, _ := utilnet.ParseWarningHeaders(resp.Header["Warning"]) // what can be read
	for _, w := range parsed {
		warning.Add(r.Context(), "API server: "+diag.Truncate(secrets.Text(w.Text), maxWarning))
	}
	return resp, nil
}
