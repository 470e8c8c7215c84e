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

package vela

import "strings"

// StepCase is a step of KubeVela that tests run as an action and in a workflow, to compare what
// both do. In its fields NAMESPACE, SERVER and MAILPORT stand for the namespace, the URL of a
// server that answers as Prometheus does, too, and the port of an SMTP server on 127.0.0.1.
type StepCase struct {
	Step string
	// Properties are in YAML.
	Properties string
	// Objects are YAML documents of what exists in the namespace before.
	Objects string
	// Output is what the result of the action has to have: a field, and ValueFrom the same for
	// the workflow.
	Output, ValueFrom string
	// Compared says what is compared beside the objects: "requests", "mails" or "output".
	Compared string
	// Application has vela-core run the step in the workflow of an Application, where the
	// controller of WorkflowRuns cannot.
	Application bool
	// Request is the only request of a step that no workflow can run.
	Request string
	// Newer marks a step, or properties of one, that the pinned KubeVela does not have.
	Newer bool
}

// Comparison says how tests compare the action with the workflow.
func (c StepCase) Comparison() string {
	if c.Request != "" {
		return "the expected request; a workflow sends none"
	}
	what, where := "same objects", "a WorkflowRun"
	if c.Compared != "" {
		what += " and " + c.Compared
	}
	if c.Application {
		where = "an Application's workflow"
	}
	return what + " as " + where
}

// StepCases returns the cases. Each step that works as an action has one: those of the pinned
// KubeVela, and those of 1.10 and 1.11, which KUBEVELA_DEFINITIONS names.
func StepCases() []StepCase {
	const application = `
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {namespace: NAMESPACE, name: other}
spec:
  components:
    - name: web
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: ClusterIP, clusterIP: None, ports: [{port: 80, name: http}]}}]}
`
	return []StepCase{
		{Step: "apply-deployment", Properties: `{image: "nginx:1.27", replicas: 2, cmd: [sleep, "9"]}`, Application: true},
		{Step: "apply-object", Properties: `{value: {apiVersion: v1, kind: ConfigMap, metadata: {name: out, namespace: NAMESPACE}, data: {a: b}}}`},
		{Step: "apply-terraform-config", Properties: `{source: {hcl: "x = 1"}, variable: {a: b}, providerRef: {name: p, namespace: NAMESPACE}}`, Application: true},
		{Step: "apply-terraform-provider", Properties: `{type: ec, name: p, apiKey: key}`, Application: true},
		{Step: "build-push-image", Properties: `{context: {git: github.com/a/b, branch: main}, image: "reg/a:v1", buildArgs: [x=y], credentials: {image: {name: cred}}}`, Application: true},
		{Step: "check-metrics", Properties: `{query: up, metricEndpoint: SERVER, condition: ">=3", duration: 1s, failDuration: 2m}`, Compared: "requests"},
		{Step: "clean-jobs", Properties: `{namespace: NAMESPACE, labelselector: {app: doomed}}`},
		{
			Step: "collect-service-endpoints", Properties: `{name: other, portName: http}`, Objects: application, Application: true,
			Compared: "output", Output: "endpoints[0].endpoint.host", ValueFrom: "outputs.endpoints[0].endpoint.host",
		},
		{Step: "create-config", Properties: `{name: made, config: {a: b}}`},
		{Step: "delete-config", Properties: `{name: old}`},
		{Step: "depends-on-app", Properties: `{name: other, namespace: NAMESPACE}`, Objects: application, Application: true},
		{
			Step: "depends-on-app", Properties: `{name: other, namespace: NAMESPACE}`, Application: true,
			Objects: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: NAMESPACE}\ndata:\n  application: |" + indent(application),
		},
		{Step: "export2config", Properties: `{configName: out, data: {a: b}}`},
		{Step: "export2secret", Properties: `{secretName: out, data: {a: b}}`},
		{
			Step: "generate-jdbc-connection", Properties: `{name: db, namespace: NAMESPACE}`, Compared: "output", Output: `value.data.DB_HOST`, ValueFrom: "output.value.data.DB_HOST",
			Objects: "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: NAMESPACE}\nstringData: {DB_HOST: host, DB_PORT: \"1\", DB_NAME: name, DB_USER: user, DB_PASSWORD: secret}",
		},
		{Step: "list-config", Properties: `{template: none}`},
		{
			Step: "notification", Properties: `{slack: {url: {value: SERVER/slack}, message: {text: hello}}}`, Application: true, Compared: "requests",
		},
		{
			Step: "notification", Properties: `{dingding: {url: {secretRef: {name: address, key: url}}, message: {msgtype: text, text: {content: hello}}}}`,
			Application: true, Compared: "requests",
		},
		{
			Step: "notification", Properties: `{lark: {url: {value: SERVER/lark}, message: {msg_type: text, content: "{\"text\":\"hello\"}"}}}`,
			Application: true, Compared: "requests",
		},
		{
			Step: "notification", Application: true, Compared: "mails",
			Properties: `{email: {from: {address: a@example.com, alias: A, password: {value: ""}, host: 127.0.0.1, port: MAILPORT}, to: [b@example.com, c@example.com], content: {subject: "über all", body: "<b>ü</b>"}}}`,
		},
		{Step: "print-message-in-status", Properties: `{message: hello}`},
		{Step: "read-config", Properties: `{name: old}`},
		{Step: "read-object", Properties: `{apiVersion: v1, kind: ConfigMap, name: settings, namespace: NAMESPACE}`, Compared: "output", Output: "value.data.a", ValueFrom: "output.value.data.a"},
		{Step: "request", Properties: `{url: SERVER/path, method: POST, body: {a: {b: 1}}, header: {X-Test: "yes"}}`, Application: true, Compared: "requests"},
		{Step: "restart-workflow", Properties: `{at: "2030-01-15T14:30:00Z"}`, Newer: true},
		{Step: "vela-cli", Properties: `{addonName: a, command: [vela, version], serviceAccountName: default}`},
		{Step: "vela-cli", Properties: `{command: [vela, version], serviceAccountName: default}`, Newer: true},
		{Step: "webhook", Properties: `{url: {value: SERVER/hook}, data: {a: b}}`, Application: true, Compared: "requests"},
		{Step: "webhook", Properties: `{url: {secretRef: {name: address, key: url}}, data: {a: b}}`, Request: `POST /secret application/json  {"a":"b"}`},
	}
}

// indent returns text as the lines of a block in YAML.
func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n    ") }
