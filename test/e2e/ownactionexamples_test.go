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

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// useTenants labels a Namespace. It gets an Application with its quota, which follows the
// label.
func useTenants(t *testing.T, a ownAction) {
	tenant := a.namespace + "-tenant"
	for size, cpu := range map[string]string{"small": "4", "large": "32"} {
		a.apply(t, fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {%s.example.com/size: %s}}", tenant, a.namespace, size))
		in := a
		in.namespace = tenant
		a.waitFor(t, "quota", func() string {
			text, _ := json.Marshal(in.object(t, "core.oam.dev/v1beta1", "Application", "tenant").Object["spec"])
			return string(text)
		}, `"requests.cpu":"`+cpu+`"`)
		a.waitFor(t, "annotation", func() string {
			in.namespace = ""
			return in.object(t, "v1", "Namespace", tenant).GetAnnotations()["example.com/application"]
		}, "tenant, "+size)
	}
}

// prepareRotateToken creates a ServiceAccount with a token, and Deployments with and without
// the token.
func prepareRotateToken(t *testing.T, a ownAction) {
	a.apply(t, fmt.Sprintf(`
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: %[1]s, name: robot, annotations: {example.com/rotate-token: "1"}}
---
apiVersion: v1
kind: Secret
metadata: {namespace: %[1]s, name: robot-token, annotations: {kubernetes.io/service-account.name: robot}}
type: kubernetes.io/service-account-token
`, a.namespace))
	a.waitFor(t, "token", func() string { return a.token(t) }, ".")
	for name, fields := range map[string]string{
		"none":     `{containers: [{name: c, image: i}]}`,
		"variable": `{containers: [{name: c, image: i, env: [{name: A, value: a}, {name: TOKEN, valueFrom: {secretKeyRef: {name: robot-token, key: token}}}]}]}`,
		"all":      `{containers: [{name: c, image: i}], initContainers: [{name: d, image: i, envFrom: [{secretRef: {name: robot-token}}]}]}`,
		"file":     `{containers: [{name: c, image: i}], volumes: [{name: e, emptyDir: {}}, {name: s, secret: {secretName: robot-token}}]}`,
	} {
		a.apply(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: %s, name: %s}
spec:
  replicas: 0
  selector: {matchLabels: {app: a}}
  template: {metadata: {labels: {app: a}}, spec: %s}
`, a.namespace, name, fields))
	}
}

// token returns the token of the ServiceAccount robot; empty if there is none.
func (a *ownAction) token(t *testing.T) string {
	t.Helper()
	token, _, _ := unstructured.NestedString(a.object(t, "v1", "Secret", "robot-token").Object, "data", "token")
	if token == "" {
		return ""
	}
	return token + "."
}

// useRotateToken asks for another token. The Deployments with the token restart.
func useRotateToken(t *testing.T, a ownAction) {
	before := a.token(t)
	a.apply(t, fmt.Sprintf("apiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: %s, name: robot, annotations: {example.com/rotate-token: \"2\"}}", a.namespace))
	a.waitForLog(t, `restarted: [\"all\",\"file\",\"variable\"]`)
	if after := a.token(t); after == "" || after == before {
		t.Errorf("got token %.9s…, want another one than %.9s…", after, before)
	}
	for name, want := range map[string]bool{"none": false, "variable": true, "all": true, "file": true} {
		got, _, _ := unstructured.NestedString(a.object(t, "apps/v1", "Deployment", name).Object, "spec", "template", "metadata", "annotations", "example.com/rotated-for")
		if (got != "") != want {
			t.Errorf("Deployment %s: got annotation %q, want one: %t", name, got, want)
		}
	}
	if strings.Contains(a.logs(), a.token(t)[:20]) {
		t.Error("got the token in the log")
	}
}

// prepareRevisionDiff creates an Application with two revisions, of which the first is its
// latest.
func prepareRevisionDiff(t *testing.T, a ownAction) {
	a.createApplication(t, a.namespace, "web")
	for n, components := range []string{
		`[{name: web, type: webservice, properties: {image: "nginx:1.28", port: 80}}, {name: old, type: worker}, {name: same, type: worker, properties: {image: a}}]`,
		`[{name: web, type: webservice, properties: {image: "nginx:1.29", port: "http", cpu: "1"}}, {name: same, type: worker, properties: {image: a}}, {name: new, type: worker}]`,
	} {
		a.apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: ApplicationRevision
metadata: {namespace: %[1]s, name: web-v%[2]d, labels: {app.oam.dev/name: web}}
spec:
  application:
    apiVersion: core.oam.dev/v1beta1
    kind: Application
    metadata: {name: web, namespace: %[1]s}
    spec: {components: %[3]s}
    status: {}
`, a.namespace, n+1, components))
	}
}

// useRevisionDiff makes revisions the latest, of which each is announced.
func useRevisionDiff(t *testing.T, a ownAction) {
	for n, want := range []string{
		`{"added":["web","old","same"],"application":"web","changed":[],"removed":[],"to":"web-v1"}`,
		`{"added":["new"],"application":"web","changed":[{"name":"web","properties":["cpu","image","port"]}],"from":"web-v1","removed":["old"],"to":"web-v2"}`,
	} {
		a.setStatus(t, "core.oam.dev/v1beta1", "Application", "web", fmt.Sprintf(`{"latestRevision": {"name": "web-v%[1]d", "revision": %[1]d, "revisionHash": "%[1]d"}}`, n+1))
		if got := cluster.Receive(t, "request", a.bodies); got != want {
			t.Errorf("got request %s, want %s", got, want)
		}
	}
}

// prepareCascade creates a chain of Applications.
func prepareCascade(t *testing.T, a ownAction) {
	for name, dependsOn := range map[string]string{"db": "", "api": "cache,db", "web": "api", "other": "dbs"} {
		a.apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {namespace: %s, name: %s, annotations: {app.oam.dev/publishVersion: "1", example.com/depends-on: %q}}
spec: {components: []}
`, a.namespace, name, dependsOn))
	}
}

// useCascade brings the Applications up, from the first of the chain to the last. One that
// comes up again at the same revision, or after trouble, deploys nothing.
func useCascade(t *testing.T, a ownAction) {
	const application = "core.oam.dev/v1beta1"
	for _, step := range []struct{ name, from, revision, deployed string }{
		{"db", "runningWorkflow", "db-v1", `["api"]`},
		{"api", "runningWorkflow", "api-v2", `["web"]`},
		{"web", "runningWorkflow", "web-v2", `[]`},
		{"db", "runningWorkflow", "db-v1", `[]`},
		{"db", "unhealthy", "db-v2", ""},
		{"db", "runningWorkflow", "db-v3", `["api"]`},
	} {
		a.setStatus(t, application, "Application", step.name, fmt.Sprintf(`{"status": %q}`, step.from))
		a.setStatus(t, application, "Application", step.name, fmt.Sprintf(`{"status": "running", "latestRevision": {"name": %q, "revision": 1, "revisionHash": "1"}}`, step.revision))
		if step.deployed != "" {
			a.waitForLog(t, fmt.Sprintf("%s is up, deployed: %s", step.revision, strings.ReplaceAll(step.deployed, `"`, `\"`)))
		}
	}
	if strings.Contains(a.logs(), "db-v2 is up") {
		t.Error("got a deployment after db was unhealthy, want none")
	}
	for name, want := range map[string]string{"db": "1", "api": "after-db-v3", "web": "after-api-v2", "other": "1"} {
		a.waitForVersion(t, a.namespace, name, want)
	}
}

// prepareCleanUp creates Jobs and WorkflowRuns that ended at different times, and others that
// run. Each Job has a Pod.
func prepareCleanUp(t *testing.T, a ownAction) {
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "young": 23 * time.Hour, "running": 0} {
		ended := time.Now().Add(-age).UTC().Format(time.RFC3339)
		a.apply(t, fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {namespace: %[1]s, name: %[2]s}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}
---
apiVersion: core.oam.dev/v1alpha1
kind: WorkflowRun
metadata: {namespace: %[1]s, name: %[2]s}
spec: {workflowSpec: {steps: []}}
`, a.namespace, name))
		job := a.object(t, "batch/v1", "Job", name)
		a.apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata:
  namespace: %[1]s
  name: %[2]s
  ownerReferences: [{apiVersion: batch/v1, kind: Job, name: %[2]s, uid: %[3]s}]
spec: {containers: [{name: c, image: i}]}
`, a.namespace, name, job.GetUID()))
		if age == 0 {
			continue
		}
		a.setStatus(t, "batch/v1", "Job", name, fmt.Sprintf(`{"startTime": %[1]q, "conditions": [
			{"type": "FailureTarget", "status": "True", "lastTransitionTime": %[1]q}, {"type": "Failed", "status": "True", "lastTransitionTime": %[1]q}]}`, ended))
		a.setStatus(t, "core.oam.dev/v1alpha1", "WorkflowRun", name, fmt.Sprintf(`{"finished": true, "mode": {}, "status": "succeeded", "suspend": false, "suspendState": "", "terminated": false, "startTime": %[1]q, "endTime": %[1]q}`, ended))
	}
}

// useCleanUp waits until the old Jobs and WorkflowRuns are gone, with the Pods of the Jobs.
func useCleanUp(t *testing.T, a ownAction) {
	a.waitForLog(t, `deleted: [\"Job old\",\"WorkflowRun old\"]`)
	a.waitForLog(t, `deleted: []`)
	for _, kind := range []struct{ apiVersion, kind string }{{"batch/v1", "Job"}, {"core.oam.dev/v1alpha1", "WorkflowRun"}, {"v1", "Pod"}} {
		a.waitFor(t, "deletion of "+kind.kind, func() string {
			list := &unstructured.UnstructuredList{}
			list.SetAPIVersion(kind.apiVersion)
			list.SetKind(kind.kind)
			if err := a.admin.List(t.Context(), list, client.InNamespace(a.namespace)); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, o := range list.Items {
				if o.GetDeletionTimestamp() == nil && o.GetLabels()["app.kubernetes.io/name"] != "kube-trigger" {
					names = append(names, o.GetName())
				}
			}
			return fmt.Sprint(names)
		}, "[running young]")
	}
}
