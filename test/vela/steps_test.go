//go:build kubevela

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

package vela_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/action"
	triggers "github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
	"github.com/kubevela/kube-trigger/test/vela"
)

// conformanceSteps are steps of KubeVela that run as an action and in a WorkflowRun, with properties
// in YAML. NAMESPACE and SERVER are replaced.
var conformanceSteps = []struct{ name, properties string }{
	{"apply-object", `{value: {apiVersion: v1, kind: ConfigMap, metadata: {name: out, namespace: NAMESPACE}, data: {a: b}}}`},
	{"export2config", `{configName: out, data: {a: b}}`},
	{"export2secret", `{secretName: out, data: {a: b}}`},
	{"read-object", `{apiVersion: v1, kind: ConfigMap, name: settings, namespace: NAMESPACE}`},
	{"clean-jobs", `{namespace: NAMESPACE, labelselector: {app: doomed}}`},
	{"print-message-in-status", `{message: hello}`},
	{"create-config", `{name: made, config: {a: b}}`},
	{"list-config", `{template: none}`},
	{"delete-config", `{name: old}`},
	{"read-config", `{name: old}`},
}

// stepsOfKubeVela applies KubeVela's definitions of steps, and returns their templates.
func stepsOfKubeVela(t *testing.T, w *vela.Workflow) map[string]triggers.Template {
	t.Helper()
	templates := map[string]triggers.Template{}
	for _, file := range vela.StepDefinitions(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		document := strings.ReplaceAll(string(text), `{{ include "systemDefinitionNamespace" . }}`, vela.Namespace)
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if object["kind"] != v1beta1.WorkflowStepDefinitionKind {
			continue
		}
		w.Apply(t, document)
		d, _ := workflowstep.Find(object)
		if template, problems := action.Parse(d.String(), d.Template); len(problems) == 0 {
			templates[d.String()] = triggers.Parsed(template)
		}
	}
	return templates
}

// TestSteps_Conformance runs each step as an action and in a WorkflowRun, in a namespace each. The
// objects and the requests are the same.
func TestSteps_Conformance(t *testing.T) {
	w := vela.StartWorkflow(t)
	templates := stepsOfKubeVela(t, w)
	for i, c := range conformanceSteps {
		t.Run(fmt.Sprintf("%s/%d", c.name, i), func(t *testing.T) {
			if templates["step/"+c.name] == nil {
				t.Fatal("refused, or not among the definitions")
			}
			ours, theirs := newStepRun(t, w, templates), newStepRun(t, w, nil)
			replace := func(r *stepRun) string {
				return strings.NewReplacer("NAMESPACE", r.namespace, "SERVER", r.server.URL).Replace(c.properties)
			}
			ours.mustRunActions(t, "1", fmt.Sprintf(`action: {type: step/%s, properties: %s}`, c.name, replace(ours)))
			w.Apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1alpha1
kind: WorkflowRun
metadata: {name: run, namespace: %s}
spec: {workflowSpec: {steps: [{name: %s, type: %[2]s, properties: %s}]}}
`, theirs.namespace, c.name, replace(theirs)))
			theirs.waitForStatus(t, "succeeded")
			if diff := cmp.Diff(theirs.result(t), ours.result(t)); diff != "" {
				t.Errorf("the WorkflowRun and the action differ (-run +action):\n%s", diff)
			}
		})
	}
}

// requestingSteps are steps of KubeVela that send requests, and the requests that they have to
// send. A WorkflowRun cannot run them: the HTTP functions of its vela/op need a response before
// there is one.
var requestingSteps = []struct{ name, properties, want string }{
	{"request", `{url: SERVER/path, method: POST, body: {a: {b: 1}}, header: {X-Test: "yes"}}`, `POST /path  yes {"a":{"b":1}}`},
	{"webhook", `{url: {value: SERVER/hook}, data: {a: b}}`, `POST /hook application/json  {"a":"b"}`},
	{"webhook", `{url: {secretRef: {name: address, key: url}}, data: {a: b}}`, `POST /secret application/json  {"a":"b"}`},
	{"notification", `{slack: {url: {value: SERVER/slack}, message: {text: hello}}}`, `POST /slack application/json  {"text":"hello"}`},
	{"notification", `{dingding: {url: {secretRef: {name: address, key: url}}, message: {msgtype: text, text: {content: hello}}}}`,
		`POST /secret application/json  {"msgtype":"text","text":{"content":"hello"}}`},
	{"notification", `{lark: {url: {value: SERVER/lark}, message: {msg_type: text, content: "{\"text\":\"hello\"}"}}}`,
		`POST /lark application/json  {"content":"{\"text\":\"hello\"}","msg_type":"text"}`},
}

// TestSteps_Requests runs steps that send requests as actions.
func TestSteps_Requests(t *testing.T) {
	w := vela.StartWorkflow(t)
	templates := stepsOfKubeVela(t, w)
	for i, c := range requestingSteps {
		t.Run(fmt.Sprintf("%s/%d", c.name, i), func(t *testing.T) {
			r := newStepRun(t, w, templates)
			properties := strings.ReplaceAll(c.properties, "SERVER", r.server.URL)
			r.mustRunActions(t, "1", fmt.Sprintf(`action: {type: step/%s, properties: %s}`, c.name, properties))
			if diff := cmp.Diff(any([]string{c.want}), r.result(t)["requests"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// stepRun is a namespace in which a step runs, with a server for its requests.
type stepRun struct {
	workflowRuns
	server *httptest.Server

	mu       sync.Mutex
	requests []string
}

func newStepRun(t *testing.T, w *vela.Workflow, templates map[string]triggers.Template) *stepRun {
	t.Helper()
	r := &stepRun{workflowRuns: workflowRuns{Workflow: w, namespace: w.Namespace(t), steps: templates}}
	r.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests = append(r.requests, fmt.Sprintf("%s %s %s %s %s", q.Method, q.URL, q.Header.Get("Content-Type"), q.Header.Get("X-Test"), body))
		_, _ = rw.Write([]byte("{}"))
	}))
	t.Cleanup(r.server.Close)
	r.Apply(t, strings.NewReplacer("NAMESPACE", r.namespace, "SERVER", r.server.URL).Replace(`
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE}
---
apiVersion: v1
kind: Secret
metadata: {name: address, namespace: NAMESPACE}
stringData: {url: SERVER/secret}
---
apiVersion: v1
kind: Secret
metadata: {name: old, namespace: NAMESPACE, labels: {config.oam.dev/catalog: velacore-config, config.oam.dev/type: ""}}
stringData: {input-properties: '{"a":"b"}'}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: NAMESPACE}
---
apiVersion: v1
kind: Pod
metadata: {name: doomed, namespace: NAMESPACE, labels: {app: doomed}}
spec: {containers: [{name: a, image: a}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: doomed, namespace: NAMESPACE, labels: {app: doomed}}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
`))
	return r
}

// result returns the data of the objects in the namespace, and the requests. What tells of
// the run itself is not in it.
func (r *stepRun) result(t *testing.T) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, kind := range []string{"ConfigMap", "Secret", "Pod", "batch/v1 Job"} {
		apiVersion := "v1"
		if version, k, ok := strings.Cut(kind, " "); ok {
			apiVersion, kind = version, k
		}
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(apiVersion)
		list.SetKind(kind + "List")
		if err := r.Client.List(context.Background(), list, client.InNamespace(r.namespace)); err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			if strings.HasPrefix(o.GetName(), "workflow-") || o.GetName() == "kube-root-ca.crt" || o.GetDeletionTimestamp() != nil {
				continue // the state of the run
			}
			if o.GetName() == "address" {
				continue // has the address of the server
			}
			out[kind+" "+o.GetName()] = map[string]any{"data": o.Object["data"], "type": o.Object["type"]}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := slices.Clone(r.requests)
	slices.Sort(requests)
	out["requests"] = requests
	return out
}
