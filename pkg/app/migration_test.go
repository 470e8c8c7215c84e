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

package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// migrations returns the configurations of docs/migration.md by the heading of their section.
func migrations(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, _, _ := strings.Cut(section, "\n")
		for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(section, -1) {
			all[heading] = append(all[heading], m[1])
		}
	}
	return all
}

// inbox is a server that keeps the bodies that it receives.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			t.Error(err)
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.bodies = append(in.bodies, string(body))
	}))
	t.Cleanup(in.Close)
	return in
}

// received reports whether a body has text.
func (in *inbox) received(text string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return strings.Contains(strings.Join(in.bodies, "\n"), text)
}

// migration is a running configuration of docs/migration.md.
type migration struct {
	env
	*process
	inbox *inbox
}

// runMigration runs the configuration with this index of a section, and waits for n watches.
// Its webhooks, and the Secret slack, lead to the inbox.
func runMigration(t *testing.T, section string, index, n int) migration {
	t.Helper()
	m := migration{env: newEnv(t), inbox: newInbox(t)}
	m.createSecret(t, "slack", map[string]string{"url": m.inbox.URL})
	m.createSecret(t, "deploy-hook", map[string]string{"secret": "s3cr3t"})
	config := strings.NewReplacer("namespace: default", "namespace: "+m.namespace,
		"https://alerts.example.com", m.inbox.URL, "matchingLabels: {team: web}", "matchingLabels: {team: "+m.namespace+"}",
		"debounce: 10s", "debounce: 1s").Replace(migrations(t)[section][index])
	o := runOptions(t, config, writeKubeconfig(t, m.Config, m.namespace))
	o.WebhookAddr, o.AllowAddresses = "127.0.0.1:0", []string{"127.0.0.1"}
	m.process = startRun(t, o)
	eventually(t, "watches", func() bool {
		return len(m.linesWhere(func(l map[string]any) bool { return l["msg"] == "watching" })) == n
	})
	if warnings := m.linesWhere(func(l map[string]any) bool { return l["msg"] == "warning" }); len(warnings) > 0 {
		t.Errorf("got warnings %v, want none", warnings)
	}
	return m
}

func (e env) createSecret(t *testing.T, name string, data map[string]string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}
	if _, err := e.Client(t).CoreV1().Secrets(e.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// createDeployment creates a Deployment with labels.
func (e env) createDeployment(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	pod := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: pod},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx"}}}},
	}}
	if _, err := e.Client(t).AppsV1().Deployments(e.namespace).Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// waitForRestart waits until the pods of a Deployment were to be replaced.
func (e env) waitForRestart(t *testing.T, deployment string) {
	t.Helper()
	eventually(t, "restart of "+deployment, func() bool {
		d, err := e.Client(t).AppsV1().Deployments(e.namespace).Get(t.Context(), deployment, metav1.GetOptions{})
		return err == nil && d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] != ""
	})
}

func TestMigration_ArgoEvents(t *testing.T) {
	t.Run("resource", func(t *testing.T) {
		m := runMigration(t, "Argo Events", 0, 1)
		m.createDeployment(t, "web", nil)
		m.createConfigMap(t, "settings")
		m.waitForRestart(t, "web")
		m.stop(t)
	})
	t.Run("webhook", func(t *testing.T) {
		m := runMigration(t, "Argo Events", 1, 0)
		m.waitForLog(t, "webhook accepts requests")
		url := "http://" + m.waitForLog(t, "webhook server listens")[0]["address"].(string) + "/hooks/deploy"
		for _, environment := range []string{"dev", "prod"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"environment": "`+environment+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "s3cr3t")
			req.Header.Set("Content-Type", "application/json")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if res.Body.Close(); res.StatusCode != http.StatusAccepted {
				t.Fatalf("got status %d, want %d", res.StatusCode, http.StatusAccepted)
			}
		}
		m.waitForLog(t, "Action succeeded")
		m.stop(t)
		jobs, err := m.Client(t).BatchV1().Jobs(m.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(jobs.Items) != 1 {
			t.Errorf("got %d jobs, %v, want 1", len(jobs.Items), err)
		}
	})
}

func TestMigration_Reloader(t *testing.T) {
	t.Run("names", func(t *testing.T) {
		m := runMigration(t, "Reloader", 0, 2)
		m.createDeployment(t, "my-app", nil)
		m.createSecret(t, "my-secret", nil)
		m.createConfigMap(t, "my-config")
		m.waitForRestart(t, "my-app")
		eventually(t, "message", func() bool { return m.inbox.received("my-app was restarted") })
		m.stop(t)
	})
	t.Run("labels", func(t *testing.T) {
		m := runMigration(t, "Reloader", 1, 1)
		labels := map[string]string{"reload": "true"}
		m.createDeployment(t, "web", labels)
		m.createConfigMap(t, "settings")
		for _, patch := range []string{`{"metadata": {"labels": {"reload": "true"}}}`, `{"data": {"color": "blue"}}`} {
			if _, err := m.configMaps.Patch(t.Context(), "settings", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		m.waitForRestart(t, "web")
		m.stop(t)
	})
}

func TestMigration_Kubewatch(t *testing.T) {
	m := runMigration(t, "kubewatch", 0, 2)
	m.createDeployment(t, "web", nil)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-0"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx"}}}}
	if _, err := m.Client(t).CoreV1().Pods(m.namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "messages", func() bool {
		return m.inbox.received("Deployment web: create") && m.inbox.received("Pod web-0: create")
	})
	m.stop(t)
}

func TestMigration_EventExporter(t *testing.T) {
	m := runMigration(t, "kubernetes-event-exporter", 0, 1)
	for _, kind := range []string{"Node", "Pod"} {
		_, err := m.Client(t).EventsV1().Events("default").Create(t.Context(), &eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "web-"},
			EventTime:  metav1.NowMicro(), Reason: "BackOff", Type: "Warning", Action: "Test", Note: "restarting",
			ReportingController: "example.com/test", ReportingInstance: "test-0",
			Regarding: corev1.ObjectReference{APIVersion: "v1", Kind: kind, Namespace: "default", Name: m.namespace},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "request", func() bool { return m.inbox.received("Pod/" + m.namespace) })
	m.stop(t)
	var body map[string]string
	if err := json.Unmarshal([]byte(m.inbox.bodies[0]), &body); err != nil || body["reason"] != "BackOff" || body["note"] != "restarting" {
		t.Errorf("got %v, %v", m.inbox.bodies, err)
	}
	if m.inbox.received("Node/" + m.namespace) {
		t.Error("got the Event of a Node, want none")
	}
}

func TestMigration_ShellOperator(t *testing.T) {
	m := runMigration(t, "shell-operator", 0, 1)
	name := m.namespace + "-web"
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": m.namespace}}}
	if _, err := m.Client(t).CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ConfigMap", func() bool {
		c, err := m.Client(t).CoreV1().ConfigMaps(name).Get(t.Context(), "defaults", metav1.GetOptions{})
		return err == nil && c.Data["color"] == "blue"
	})
	m.stop(t)
}

func TestMigration_Original(t *testing.T) {
	m := runMigration(t, "The original kube-trigger", 0, 1)
	m.createApplication(t, "web")
	m.createConfigMap(t, "settings")
	patch := []byte(`{"metadata": {"labels": {"my-label": "web"}}}`)
	if _, err := m.configMaps.Patch(t.Context(), "settings", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "version", func() bool { return m.publishVersion(t, "web") == "1" })
	m.stop(t)
}
