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
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// secretRedaction tests that logs at level debug, metrics, statuses, dead letters and events
// do not contain the value of a Secret that filters and actions read.
func secretRedaction(t *testing.T, i *installation) {
	const value = "c4n4ryc4n4ry" // base64: YzRuNHJ5YzRuNHJ5
	ns := i.Namespace(t)
	i.createServiceAccount(t, ns, "own", "[{apiGroups: [''], resources: [secrets], verbs: [get, list, watch]}]")
	secret := func(n int) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: s}\nstringData: {token: %s, count: \"%d\"}", ns, value, n)
	}
	i.apply(t, secret(0))
	var triggers strings.Builder
	paths := map[string]string{
		"filtered":  "action: {type: bump-application-revision}\n      filter: 'context.data.data.token == \"no\"'",
		"unmatched": "action: {type: bump-application-revision}\n      filter: 'context: data: data: token: =~\"^no\"'",
		"failing":   "action: {type: bump-application-revision}\n      filter: |\n        import \"strings\"\n        strings.Split(context.data.data.token, \"\")[99] == \"x\"",
		"not-found": "action: {type: patch-resource, properties: {resource: {apiVersion: v1, kind: ConfigMap, name: absent, namespace: " + ns + "}, patch: {type: merge, data: {data: {x: y}}}}}",
	}
	for name, template := range map[string]string{
		"forbidden": `do: kube.#Patch & {$params: {resource: {apiVersion: "v1", kind: "Pod", metadata: {name: "x", namespace: "` + ns + `"}}, patch: {type: "merge", data: metadata: labels: x: context.data.data.token}}}`,
		"invalid":   `do: kube.#Patch & {$params: {resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "out", namespace: "` + ns + `"}}, patch: {type: "merge", data: metadata: labels: "x": base64.Decode(null, context.data.data.token) + " !"}}}`,
		"malformed": `do: kube.#Apply & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: context.data.data.token + "_", namespace: "` + ns + `"}}}`,
		"http":      `do: http.#HTTPDo & {$params: {method: "GET", url: "http://127.0.0.1:1/\(context.data.data.token)", request: header: Authorization: context.data.data.token}}`,
		"read":      `read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Secret", metadata: {name: "s", namespace: "` + ns + `"}}}` + "\n" + `do: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: read.$returns.data.token, namespace: "` + ns + `"}}}`,
		"conflict":  `x: context.data.data.token & "other"` + "\n" + `do: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: x, namespace: "` + ns + `"}}}`,
	} {
		imports := ""
		for _, p := range []string{"vela/kube", "vela/http", "encoding/base64"} {
			if strings.Contains(template, p[strings.LastIndex(p, "/")+1:]+".") {
				imports += fmt.Sprintf("import %q\n", p)
			}
		}
		i.apply(t, strings.Replace(stampDefinition(ns, imports+template), "trigger-action-stamp", "trigger-action-"+name, 1))
		paths[name] = "action: {type: " + name + "}"
	}
	for name, fields := range paths {
		fmt.Fprintf(&triggers, `    - name: %[1]s
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: Secret, namespace: %[2]s, events: [update]}}
      onChange: [data.count]
      retry: {limit: 1, backoff: {initial: 10ms, max: 10ms}}
      %[3]s
`, name, ns, fields)
	}
	i.applyConfigMap(t, ns, "out", "")
	i.apply(t, bumpTriggers(ns, "main", triggers.String()+"  serviceAccountName: own\n  worker: {properties: {config: {logLevel: debug}}}"))
	i.waitForReady(t, ns, "main")
	i.apply(t, secret(1))
	i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		for _, s := range ts.Status.Triggers {
			if _, ok := paths[s.Name]; ok && s.DeadLetters+s.Filtered == 0 {
				return fmt.Errorf("trigger %s: got status %+v, want a dead letter or a filtered event", s.Name, s)
			}
		}
		return nil
	})
	for name, text := range i.collectOutputs(t, ns) {
		for _, form := range []string{value, "YzRuNHJ5YzRuNHJ5"} {
			if position := strings.Index(text, form); position >= 0 {
				t.Errorf("got the value of the Secret in %s, want none: …%s…", name, text[max(0, position-200):min(len(text), position+50)])
			}
		}
	}
}

// collectOutputs returns the logs and metrics of the workers in a namespace, the logs of the
// controller, and the objects in the namespace that may contain values of events.
func (i *installation) collectOutputs(t *testing.T, namespace string) map[string]string {
	t.Helper()
	all := map[string]string{"the logs": i.node.Logs(namespace), "the controller's logs": i.node.Logs("vela-system")}
	for _, p := range i.node.Pods(namespace) {
		for _, path := range []string{"/metrics", "/debug/decisions"} {
			status, text, err := p.Get(t.Context(), 8080, path)
			if err != nil || status != http.StatusOK || text == "" {
				t.Fatalf("GET %s: got status %d, error %v and %d bytes, want 200 with a body", path, status, err, len(text))
			}
			all[path+" of "+p.Name] = text
		}
	}
	for name, list := range map[string]client.ObjectList{
		"TriggerServices": &v1alpha1.TriggerServiceList{}, "dead letters": &v1alpha1.TriggerEventList{},
		"Kubernetes events": &corev1.EventList{}, "ConfigMaps": &corev1.ConfigMapList{}, "Definitions": &corev1alpha1.DefinitionList{},
	} {
		if err := i.admin.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}
