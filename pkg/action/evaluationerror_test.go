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

package action_test

import (
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestRun_EvaluationErrors evaluates the body of a request. Errors name what is wrong, and
// the fields, but hold no values of the event.
func TestRun_EvaluationErrors(t *testing.T) {
	for body, want := range map[string]string{
		`context.data.status.x`:                                         `BODY: undefined field: status`,
		`"\(context.data.status.x)"`:                                    `BODY: invalid interpolation: undefined field: status`,
		`yaml.Marshal({a: context.data.status.x})`:                      `BODY: error in call to encoding/yaml.Marshal: a: undefined field: status`,
		`json.Marshal({a: read.$returns.data.absent})`:                  `a: undefined field: data`,
		`*context.data.a | context.data.b`:                              `BODY: undefined field: a; 6:112: BODY: undefined field: b`,
		`context.data.data[parameter.key]`:                              `BODY: undefined field: kk`,
		`[for k, v in context.data.data {context.data.metadata[k]}][0]`: `BODY: undefined field: password`,
		`"\(strconv.Atoi(context.data.data.password))"`:                 `BODY: invalid interpolation: error in call to strconv.Atoi: strconv.Atoi: parsing …: invalid syntax`,
		`json.Unmarshal(context.data.data.password).x`:                  `BODY: error in call to encoding/json.Unmarshal: json: invalid JSON`,
		`time.Format(context.data.data.password, time.RFC3339)`:         `BODY: error in call to time.Format: invalid time …`,
		`list.Concat([context.data.data.password])`:                     `BODY: error in call to list.Concat: cannot use value … (type string) as list`,
		`context.data.data`:                                             `BODY: conflicting values string and … (mismatched types string and struct)`,
		`"abc" & context.data.data.password`:                            `BODY: conflicting values … and "abc"`,
		`=~"^a" & context.data.data.password`:                           `BODY: invalid value … (out of bound =~"^a")`,
		`"x", request: timeout: context.data.data.password + 5`:         `invalid operands … and 5 to '+' (type string and int)`,
	} {
		t.Run(body, func(t *testing.T) {
			err := run(t, compile(t, requestWith(`"POST"`, body), nil, &recorder{answer: returnUID}))
			want := strings.ReplaceAll(want, "BODY", "post.$params.request.body")
			if err == nil || !strings.HasSuffix(err.Error(), want) || !strings.HasPrefix(err.Error(), `template "test":`) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("%v holds a value", err)
			}
		})
	}
}

// TestRun_EvaluationErrorAlternatives names what is valid, which the package says.
func TestRun_EvaluationErrorAlternatives(t *testing.T) {
	err := run(t, compile(t, requestWith(`context.data.data.password`, `"x"`), nil, &recorder{answer: returnUID}))
	const want = `post.$params.method: … is invalid; valid: "DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"`
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestRun_EvaluationErrorSecret keeps the names of fields of a Secret, and none of its
// values, also where a value is used as a name.
func TestRun_EvaluationErrorSecret(t *testing.T) {
	ev := event.Event{Data: secret(map[string]any{"password": "Y2FuYXJ5LTQ3MTE=", "name": "canary-4711"})}
	for body, want := range map[string]string{
		`context.data.data.passwrd`:                                          `undefined field: passwrd`,
		`context.data.data[context.data.data.name]`:                          `undefined field: "(redacted)"`,
		`context.data.data[base64.Decode(null, context.data.data.password)]`: `invalid index … (invalid type bytes)`,
	} {
		_, err := compile(t, requestWith(`"POST"`, body), nil, &recorder{answer: returnUID}).Start(nil, nil)(t.Context(), ev)
		if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s:\ngot  %v\nwant %s", body, err, want)
		}
	}
}

func requestWith(method, body string) string {
	return `import "vela/kube"
import "vela/http"

parameter: key: *"kk" | string
read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: name: "c"}}
post: http.#HTTPDo & {$params: {method: ` + method + `, url: "http://x", request: body: ` + body + `}}
`
}
