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

package application_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/application"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/sources"
)

// env is a namespace of a cluster in which a test changes Applications.
type env struct {
	*testing.T
	cluster *cluster.Cluster
	apps    dynamic.ResourceInterface
	program sources.Program
}

// newEnv returns an env with a trigger for each of eventNames, and the triggers in more,
// whose properties are in YAML. %s in them is the namespace.
func newEnv(t *testing.T, more map[string]string, opts ...cluster.Option) env {
	t.Helper()
	c := cluster.Start(t, opts...)
	c.InstallApplicationCRD(t)
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	namespace := c.Namespace(t)
	triggers := map[string]string{}
	for _, name := range eventNames() {
		triggers[name] = fmt.Sprintf("{namespace: %s, events: [%s]}", namespace, name)
	}
	for name, properties := range more {
		triggers[name] = fmt.Sprintf(properties, namespace)
	}
	return env{t, c, client.Resource(schema.GroupVersionResource{
		Group: "core.oam.dev", Version: "v1beta1", Resource: "applications",
	}).Namespace(namespace), sources.Program{Config: c.Config, New: application.New, Folder: t.TempDir(), Triggers: triggers}}
}

func eventNames() []string {
	return []string{"phaseChanged", "workflowFinished", "workflowFailed", "revisionMade", "componentUnhealthy", "componentHealthy"}
}

func (e env) create(name string, labels map[string]string) {
	e.Helper()
	app := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
		"spec": map[string]any{"components": []any{map[string]any{"name": "web", "type": "webservice"}}},
	}}
	app.SetName(name)
	app.SetLabels(labels)
	if _, err := e.apps.Create(e.Context(), app, metav1.CreateOptions{}); err != nil {
		e.Fatal(err)
	}
}

// status merges a patch into the status.
func (e env) status(name, status string) {
	e.Helper()
	if _, err := e.apps.Patch(e.Context(), name, types.MergePatchType, []byte(`{"status": `+status+`}`), metav1.PatchOptions{}, "status"); err != nil {
		e.Fatal(err)
	}
}

func (e env) label(name, value string) {
	e.Helper()
	if _, err := e.apps.Patch(e.Context(), name, types.MergePatchType, []byte(`{"metadata": {"labels": {"l": "`+value+`"}}}`), metav1.PatchOptions{}); err != nil {
		e.Fatal(err)
	}
}

// workflow returns the status of a workflow that started at second.
func workflow(second int, phase string, finished, terminated bool) string {
	return fmt.Sprintf(`{"workflow": {"appRevision": "app-v1", "mode": "DAG", "suspend": false, "status": %q, "finished": %t, "terminated": %t,
		"startTime": "2026-11-24T10:00:%02dZ"}}`, phase, finished, terminated, second)
}

// services returns the status of components: "web" is healthy, "!web" unhealthy.
func services(names ...string) string {
	var all []string
	for _, n := range names {
		name, unhealthy := strings.CutPrefix(n, "!")
		all = append(all, fmt.Sprintf(`{"name": %q, "namespace": "prod", "healthy": %t, "message": "Ready:1/1"}`, name, !unhealthy))
	}
	return `{"services": [` + strings.Join(all, ", ") + "]}"
}

// summarize returns a text for the named change in each event.
func summarize(name string, events []event.Event) []string {
	out := []string{}
	for _, ev := range events {
		changes, _ := ev.Data["changes"].(map[string]any)
		switch change := changes[name].(type) {
		case []any:
			var names []string
			for _, c := range change {
				names = append(names, fmt.Sprint(c.(map[string]any)["name"]))
			}
			out = append(out, strings.Join(names, " "))
		case map[string]any:
			var texts []string
			for _, field := range []string{"from", "to", "status", "name"} {
				if text, ok := change[field].(string); ok {
					texts = append(texts, text)
				}
			}
			out = append(out, strings.Join(texts, " "))
		default:
			out = append(out, fmt.Sprint(change))
		}
	}
	return out
}

// expect compares the events of the trigger of each event name.
func (e env) expect(p *sources.Process, want map[string][]string) {
	e.Helper()
	for _, name := range eventNames() {
		if diff := cmp.Diff(append([]string{}, want[name]...), summarize(name, p.Events(name))); diff != "" {
			e.Errorf("%s: %s", name, diff)
		}
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		// The shared cluster's clients and supervisor live as long as the process.
		if err := goleak.Find(
			goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
			goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"),
		); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
