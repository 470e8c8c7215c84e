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

package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// Call is a call of a provider function, without values of Secrets.
type Call struct {
	// Function is the function, such as "kube.patch".
	Function string `json:"call"`
	// Path is the path of the call in the template.
	Path string `json:"path,omitempty"`
	// Params are the parameters.
	Params map[string]any `json:"params,omitempty"`
	// Effect is set if the call can change or send something.
	Effect bool `json:"effect,omitempty"`
	// NotSent is set for what leaves the cluster in a live run, and is not sent in a
	// rehearsal: requests and emails.
	NotSent bool `json:"notSent,omitempty"`
	// Error is why the call failed.
	Error string `json:"error,omitempty"`
}

// Recorder is an executor that passes calls on, and records them. A call that waits for a
// change of an object fails at once if the object is not as it waits for: in a rehearsal,
// nothing else changes objects.
type Recorder struct {
	provider.Executor
	// Record receives each call after it was executed. It is called concurrently.
	Record func(Call)
}

// Execute implements provider.Executor.
func (r Recorder) Execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	ctx, secrets := redact.Begin(ctx)
	executing := ctx
	if call.Provider+"."+call.Do == "kube.wait" {
		var cancel context.CancelCauseFunc
		executing, cancel = context.WithCancelCause(ctx)
		cancel(errors.New("nothing else changes objects in a rehearsal"))
	}
	executing = context.WithValue(executing, acceptedKey{}, call.Params["accept"])
	result, err := r.Executor.Execute(executing, call)
	recorded := Call{
		Function: call.Provider + "." + call.Do, Path: call.Path, Params: secrets.Public(call.Params),
		Effect: provider.HasEffect(call), NotSent: provider.IsSent(call),
	}
	if err != nil {
		recorded.Error = secrets.Text(err.Error())
	}
	r.Record(recorded)
	return result, err
}

// acceptedKey is the key of the parameter accept of a call, in the context of its request.
type acceptedKey struct{}

// accepted returns the answer to a request for which none is given: an empty one, or the
// first that its call accepts.
func accepted(req *http.Request) Answer {
	accept, _ := req.Context().Value(acceptedKey{}).(map[string]any)
	field, _ := accept["field"].(string)
	values, _ := accept["in"].([]any)
	if field == "" || len(values) == 0 {
		return Answer{}
	}
	body, err := json.Marshal(map[string]any{field: values[0]})
	if err != nil {
		return Answer{} // unreachable: decoded JSON
	}
	return Answer{Body: string(body)}
}

// Answer is the answer to requests of actions to other servers.
type Answer struct {
	// Method and URL select requests. An empty one selects all. In URL, * stands for any
	// text without a slash.
	Method string `json:"method,omitempty"`
	URL    string `json:"url,omitempty"`
	// Status defaults to 200.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
}

// NewEgress returns a client that sends nothing. The first of answers that selects a request
// answers it; others have the status 200, and an empty body or, where the call accepts only
// some, one of these.
func NewEgress(answers []Answer) *egress.Client {
	return egress.NewOffline(func(req *http.Request) (*egress.Response, error) {
		for _, a := range answers {
			if a.selects(req) {
				return a.response(), nil
			}
		}
		return accepted(req).response(), nil
	})
}

func (a Answer) selects(req *http.Request) bool {
	if a.Method != "" && a.Method != req.Method {
		return false
	}
	matches, err := path.Match(a.URL, req.URL.String())
	return a.URL == "" || a.URL == req.URL.String() || err == nil && matches
}

func (a Answer) response() *egress.Response {
	r := &egress.Response{Status: a.Status, Header: http.Header{}, Body: []byte(a.Body)}
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	for name, value := range a.Header {
		r.Header.Set(name, value)
	}
	return r
}
