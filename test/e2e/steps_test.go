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
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/vela"
)

// stepCase is a trigger with a step of KubeVela. The ConfigMap of its name is its event.
type stepCase struct {
	// actions are those of the trigger, in YAML. NAMESPACE and SERVER are replaced.
	actions string
	check   func(*testing.T, stepsRun)
}

// stepCases are triggers whose actions are steps of KubeVela, by the name of the trigger.
func stepCases() map[string]stepCase {
	return map[string]stepCase{
		"apply-deployment": {`[{type: step/apply-deployment, properties: {image: a}, timeout: 3m}, {type: step/export2config, properties: {configName: deployed, data: {a: b}}}]`,
			func(t *testing.T, r stepsRun) {
				r.expectWait(t, "apply-deployment-", `{"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}`, "deployed")
				d := &appsv1.Deployment{}
				r.get(t, "apply-deployment", d)
				if d.Status.ReadyReplicas != 1 {
					t.Errorf("got %d ready replicas, want 1", d.Status.ReadyReplicas)
				}
			}},
		"apply-object": {`[{type: step/apply-object, properties: {value: {apiVersion: v1, kind: Service, metadata: {name: applied, namespace: NAMESPACE}, spec: {ports: [{port: 1234}]}}}}]`,
			func(t *testing.T, r stepsRun) {
				s := &corev1.Service{}
				r.get(t, "applied", s)
				if len(s.Spec.Ports) != 1 || s.Spec.Ports[0].Port != 1234 {
					t.Errorf("got ports %v, want 1234", s.Spec.Ports)
				}
			}},
		"build-push-image": {`[{type: step/build-push-image, properties: {context: {git: github.com/a/b}, image: "registry/a:1"}, timeout: 3m}, {type: step/export2config, properties: {configName: built, data: {a: b}}}]`,
			func(t *testing.T, r stepsRun) {
				pod := r.expectWait(t, "-kaniko", `{"phase": "Succeeded"}`, "built")
				if got, want := fmt.Sprint(pod.Spec.Containers[0].Args), "[--dockerfile=./Dockerfile --context=git://github.com/a/b#refs/heads/master --destination=registry/a:1 --verbosity=info]"; got != want {
					t.Errorf("got arguments %s, want %s", got, want)
				}
			}},
		"clean-jobs": {`[{type: step/clean-jobs, properties: {labelselector: {app: doomed}}}]`,
			func(t *testing.T, r stepsRun) {
				cluster.Eventually(t, "deletion of the Job", func(ctx context.Context) error {
					job := &unstructured.Unstructured{}
					job.SetAPIVersion("batch/v1")
					job.SetKind("Job")
					err := r.admin.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: "doomed"}, job)
					if client.IgnoreNotFound(err) != nil {
						return err
					}
					if err == nil && job.GetDeletionTimestamp() == nil {
						return errors.New("the Job is there")
					}
					return nil
				})
			}},
		"create-config": {`[{type: step/create-config, properties: {name: made, config: {color: blue}}}]`,
			func(t *testing.T, r stepsRun) {
				s := &corev1.Secret{}
				r.get(t, "made", s)
				if got, want := string(s.Data["input-properties"]), `{"color":"blue"}`; got != want || s.Labels["config.oam.dev/catalog"] != "velacore-config" {
					t.Errorf("got properties %s, labels %v, want the config %s", got, s.Labels, want)
				}
			}},
		"depends-on-app": {`[{type: step/depends-on-app, properties: {name: base, namespace: NAMESPACE}, timeout: 3m}, {type: step/export2config, properties: {configName: depended, data: {a: b}}}]`,
			func(t *testing.T, r stepsRun) {
				app := &unstructured.Unstructured{}
				app.SetAPIVersion("core.oam.dev/v1beta1")
				app.SetKind("Application")
				r.get(t, "base", app)
				r.setStatus(t, app, `{"status": "running"}`)
				cm := &corev1.ConfigMap{}
				r.get(t, "depended", cm)
				if resourceVersion(t, cm) < resourceVersion(t, app) {
					t.Error("the step did not wait for the Application")
				}
			}},
		"export2config": {`[{type: step/export2config, properties: {configName: exported, data: {color: green}}}]`,
			func(t *testing.T, r stepsRun) { r.waitForValue(t, r.namespace, "exported", "color", "green") }},
		"export2secret": {`[{type: step/export2secret, properties: {secretName: credentials, kind: docker-registry, dockerRegistry: {username: u, password: p, server: s}}}]`,
			func(t *testing.T, r stepsRun) {
				s := &corev1.Secret{}
				r.get(t, "credentials", s)
				if got := string(s.Data[corev1.DockerConfigJsonKey]); s.Type != corev1.SecretTypeDockerConfigJson || !strings.Contains(got, base64.StdEncoding.EncodeToString([]byte("u:p"))) {
					t.Errorf("got a Secret of type %s with %s, want the credentials", s.Type, got)
				}
			}},
		"notification": {`[{type: step/notification, properties: {slack: {url: {secretRef: {name: slack, key: url}}, message: {text: hello}}}}]`,
			func(t *testing.T, r stepsRun) { r.requests.expect(t, `POST /slack {"text":"hello"}`) }},
		"read-object": {`[{name: settings, type: step/read-object, properties: {apiVersion: v1, kind: ConfigMap, name: settings, namespace: NAMESPACE}},
			{type: notify-slack, properties: {url: {secretRef: {name: slack}}, message: "the color is {{.results.settings.value.data.key}}"}}]`,
			func(t *testing.T, r stepsRun) { r.requests.expect(t, `POST /slack {"text":"the color is red"}`) }},
		"request": {`[{type: step/request, properties: {url: SERVER/path, method: PUT, body: {a: b}, header: {X-Test: "yes"}}}]`,
			func(t *testing.T, r stepsRun) { r.requests.expect(t, `PUT /path {"a":"b"} yes`) }},
		"webhook": {`[{type: step/webhook, properties: {url: {value: SERVER/hook}, data: {c: d}}}]`,
			func(t *testing.T, r stepsRun) { r.requests.expect(t, `POST /hook {"c":"d"}`) }},
	}
}

// stepsRun is a namespace whose TriggerService "steps" runs steps.
type stepsRun struct {
	*installation
	namespace string
	// requests has the requests that the server received, by method and path.
	requests *requestLog
}

// steps tests KubeVela's workflow steps as actions, with the definitions that KubeVela installs.
func steps(t *testing.T, i *installation) {
	r := stepsRun{i, i.Namespace(t), newRequestLog(t)}
	i.allowLoopback(t)
	definitions := vela.StepDocuments(t)
	cases := stepCases()
	var triggers strings.Builder
	for name, c := range cases {
		if definitions[name] == "" {
			t.Fatalf("KubeVela has no step %s", name)
		}
		i.apply(t, definitions[name])
		fmt.Fprintf(&triggers, `
    - name: %s
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: NAMESPACE, events: [create]}}
      filter: context.data.metadata.name == %[1]q
      actions: %s`, name, c.actions)
	}
	i.createServiceAccount(t, r.namespace, "steps", `[
  {apiGroups: [""], resources: [configmaps, pods, secrets, services], verbs: [get, list, create, update, patch, delete, deletecollection]},
  {apiGroups: [apps], resources: [deployments], verbs: [get, create, update, patch]},
  {apiGroups: [batch], resources: [jobs], verbs: [get, list, delete, deletecollection]},
  {apiGroups: [""], resources: [pods/log], verbs: [get]},
  {apiGroups: [core.oam.dev], resources: [applications], verbs: [get]}]`)
	i.createApplication(t, r.namespace, "base")
	i.applyConfigMap(t, r.namespace, "settings", "red")
	i.apply(t, strings.NewReplacer("NAMESPACE", r.namespace, "SERVER", r.requests.server.URL).Replace(`
apiVersion: v1
kind: Secret
metadata: {name: slack, namespace: NAMESPACE}
stringData: {url: SERVER/slack}
---
apiVersion: batch/v1
kind: Job
metadata: {name: doomed, namespace: NAMESPACE, labels: {app: doomed}}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
---
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {name: steps, namespace: NAMESPACE}
spec:
  serviceAccountName: steps
  worker: {template: loopback}
  triggers:`+triggers.String()))
	i.waitForReady(t, r.namespace, "steps")
	t.Run("Versions", func(t *testing.T) {
		t.Parallel()
		stepVersions(t, i)
	})
	t.Run("Killed", func(t *testing.T) {
		t.Parallel()
		stepKilled(t, i)
	})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i.applyConfigMap(t, r.namespace, name, "1")
			c.check(t, r)
		})
	}
}

// stepVersions runs a step of the namespace beside a DefinitionRevision of it. A change of the definition
// takes effect in the worker, and the version stays as it is.
func stepVersions(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.allowConfigMaps(t, ns)
	definition := func(word string) string {
		return fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {namespace: %s, name: paint}
spec:
  schematic:
    cue:
      template: |
%s
`, ns, indent(`
import "vela/kube"
paint: kube.#Apply & {$params: resource: {
	apiVersion: "v1"
	kind:       "ConfigMap"
	metadata: {name: context.stepName, namespace: context.namespace}
	data: word: "`+word+`"
}}
parameter: {}`, "        "))
	}
	i.apply(t, definition("first"))
	i.apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: DefinitionRevision
metadata: {namespace: %s, name: paint-v1, labels: {workflowstepdefinition.oam.dev/name: paint}}
spec:
  definitionType: WorkflowStep
  revision: 1
  revisionHash: x
  componentDefinition: {metadata: {}, spec: {workload: {}}}
  traitDefinition: {metadata: {}, spec: {}}
  policyDefinition: {metadata: {}, spec: {}}
  workflowStepDefinition:
%s
---
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  triggers:
    - source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s}}
      filter: context.data.metadata.name == "in"
      actions: [{name: latest, type: step/paint}, {name: pinned, type: step/paint@v1}]
`, ns, indent(definition("first"), "    ")))
	i.waitForReady(t, ns, "main")
	i.applyConfigMap(t, ns, "in", "0")
	i.waitForValue(t, ns, "pinned", "word", "first")
	i.waitForValue(t, ns, "latest", "word", "first")
	i.apply(t, definition("second"))
	n := 0
	cluster.Eventually(t, "the change of the definition", func(ctx context.Context) error {
		n++
		if err := cluster.Apply(ctx, i.admin, configMap(ns, "in", fmt.Sprint(n))); err != nil {
			return err
		}
		latest := &corev1.ConfigMap{}
		if err := i.admin.Get(ctx, types.NamespacedName{Namespace: ns, Name: "latest"}, latest); err != nil {
			return err
		}
		if got := latest.Data["word"]; got != "second" {
			return fmt.Errorf("got %q, want second", got)
		}
		return nil
	})
	i.delete(t, configMap(ns, "pinned", ""))
	i.applyConfigMap(t, ns, "in", "last")
	i.waitForValue(t, ns, "pinned", "word", "first")
}

// stepKilled kills a worker whose step waits. The next one goes on waiting, and sends no second
// request.
func stepKilled(t *testing.T, i *installation) {
	ns, requests := i.Namespace(t), newRequestLog(t)
	i.apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {namespace: %s, name: approve}
spec:
  schematic:
    cue:
      template: |
%s
---
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  worker: {template: loopback}
  triggers:
    - source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [create]}}
      filter: context.data.metadata.name == "in"
      actions:
        - {name: approval, type: step/approve, properties: {url: %[3]q}, timeout: 10m}
        - {type: log, properties: {message: "approved {{.results.approval.number}}"}}
`, ns, indent(`
import ("vela/builtin", "vela/http", "vela/kube")
ask: http.#HTTPPost & {$params: {url: "\(parameter.url)/ask", request: body: "may I?"}}
read: kube.#Read & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "in", namespace: context.namespace}}}
wait: builtin.#ConditionalWait & {$params: continue: read.$returns.value.data.key == "approved"}
outputs: number: ask.$returns.statusCode
parameter: url: string`, "        "), requests.server.URL))
	i.waitForReady(t, ns, "main")
	i.applyConfigMap(t, ns, "in", "0")
	waitForLogs := func(text string, n int) {
		t.Helper()
		cluster.Eventually(t, fmt.Sprintf("%d times %q in the log", n, text), func(context.Context) error {
			if got := strings.Count(i.node.Logs(ns), text); got < n {
				return fmt.Errorf("got %d", got)
			}
			return nil
		})
	}
	waitForLogs("Action waits", 1)
	i.activePod(t, ns).Kill()
	waitForLogs("Action waits", 2)
	i.applyConfigMap(t, ns, "in", "approved")
	waitForLogs("approved 200", 1)
	requests.expect(t, "POST /ask may I?")
}

// get waits until an object of the namespace exists.
func (r stepsRun) get(t *testing.T, name string, o client.Object) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("%T %s", o, name), func(ctx context.Context) error {
		return r.admin.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: name}, o)
	})
}

// setStatus merges a status, in JSON, into that of o.
func (r stepsRun) setStatus(t *testing.T, o client.Object, status string) {
	t.Helper()
	if err := r.admin.Status().Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"status": `+status+`}`))); err != nil {
		t.Fatal(err)
	}
}

// expectWait waits for the Pod whose name contains name, sets its status, and returns it. The
// ConfigMap of the trigger's next action is made only then.
func (r stepsRun) expectWait(t *testing.T, name, status, configMap string) corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	cluster.Eventually(t, "Pod "+name, func(ctx context.Context) error {
		list := &corev1.PodList{}
		if err := r.admin.List(ctx, list, client.InNamespace(r.namespace)); err != nil {
			return err
		}
		n := slices.IndexFunc(list.Items, func(p corev1.Pod) bool { return strings.Contains(p.Name, name) })
		if n < 0 {
			return errors.New("there is none")
		}
		pod = list.Items[n]
		return nil
	})
	r.setStatus(t, &pod, status)
	cm := &corev1.ConfigMap{}
	r.get(t, configMap, cm)
	if resourceVersion(t, cm) < resourceVersion(t, &pod) {
		t.Errorf("ConfigMap %s was made before the status of Pod %s: the step did not wait", configMap, pod.Name)
	}
	return pod
}

// resourceVersion returns that of o.
func resourceVersion(t *testing.T, o client.Object) int64 {
	t.Helper()
	v, err := strconv.ParseInt(o.GetResourceVersion(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// requestLog has the requests that a server received, as "METHOD PATH BODY", and the header X-Test.
type requestLog struct {
	server *httptest.Server

	mu       sync.Mutex
	requests []string
}

// newRequestLog starts a server, which runs until the test ends.
func newRequestLog(t *testing.T) *requestLog {
	t.Helper()
	l := &requestLog{}
	l.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.requests = append(l.requests, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, body, r.Header.Get("X-Test"))))
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(l.server.Close)
	return l
}

// expect waits for a request. It is sent once.
func (l *requestLog) expect(t *testing.T, want string) {
	t.Helper()
	cluster.Eventually(t, "request "+want, func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		n := 0
		for _, got := range l.requests {
			if got == want {
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("got it %d times, and all in all %q", n, l.requests)
		}
		return nil
	})
}
