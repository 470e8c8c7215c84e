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

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// process is the command, run with arguments until the test ends it.
type process struct {
	mu     sync.Mutex
	lines  []map[string]any
	rest   []byte
	cancel context.CancelFunc
	ended  chan error
}

func startRun(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cancel: cancel, ended: make(chan error, 1)}
	cmd := command()
	if !slices.Contains(args, "--store") {
		args = append(args, "--store", filepath.Join(t.TempDir(), "store.db"))
	}
	cmd.SetArgs(append([]string{"run", "--log-format", "json"}, args...))
	cmd.SetErr(p)
	t.Cleanup(func() {
		if t.Failed() {
			for _, l := range p.linesWhere(func(map[string]any) bool { return true }) {
				t.Log(l)
			}
			select {
			case err := <-p.ended:
				t.Log("ended:", err)
			default:
			}
		}
	})
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.ended <- cmd.ExecuteContext(ctx)
	}()
	t.Cleanup(func() { p.cancel() })
	// The command sets the logger of Kubernetes' libraries, which the test's own
	// clients use as well.
	eventually(t, "a line in the log", func() bool {
		select {
		case <-over:
			return true
		default:
			return len(p.linesWhere(func(map[string]any) bool { return true })) > 0
		}
	})
	return p
}

// Write takes the log, JSON lines.
func (p *process) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, data...)
	for {
		line, rest, ok := bytes.Cut(p.rest, []byte("\n"))
		if !ok {
			return len(data), nil
		}
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			return 0, err
		}
		p.lines, p.rest = append(p.lines, m), rest
	}
}

// linesWhere returns the lines so far that are wanted.
func (p *process) linesWhere(wanted func(line map[string]any) bool) []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.lines), func(l map[string]any) bool { return !wanted(l) })
}

// waitForLog waits for a line with this message and returns the lines so far that
// have it.
func (p *process) waitForLog(t *testing.T, message string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	eventually(t, fmt.Sprintf("%q in the log", message), func() bool {
		lines = p.linesWhere(func(l map[string]any) bool { return l["msg"] == message })
		return len(lines) > 0
	})
	return lines
}

// eventually polls until done.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30s for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	p.cancel()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
}

// kubeconfig writes cfg to a file.
func kubeconfig(t *testing.T, cfg *rest.Config, namespace string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "c",
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "c", Namespace: namespace}},
		Clusters: map[string]*clientcmdapi.Cluster{"c": {
			Server: cfg.Host, CertificateAuthorityData: cfg.CAData, CertificateAuthority: cfg.CAFile,
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"c": {
			Token: cfg.BearerToken, ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData,
			ClientCertificate: cfg.CertFile, ClientKey: cfg.KeyFile,
		}},
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// writeActions writes own actions to a directory.
func writeActions(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// env is an API server and a namespace in it.
type env struct {
	*cluster.Cluster
	namespace    string
	configMaps   dynamic.ResourceInterface
	applications dynamic.ResourceInterface
}

func newEnv(t *testing.T) env {
	t.Helper()
	c := cluster.Start(t)
	c.InstallApplicationCRD(t)
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	w := env{Cluster: c, namespace: c.Namespace(t)}
	w.configMaps = client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(w.namespace)
	w.applications = client.Resource(schema.GroupVersionResource{Group: "core.oam.dev", Version: "v1beta1", Resource: "applications"}).Namespace(w.namespace)
	return w
}

func (w env) create(t *testing.T, in dynamic.ResourceInterface, apiVersion, kind, name string) {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	if kind == "Application" {
		u.Object["spec"] = map[string]any{"components": []any{}}
	}
	u.SetName(name)
	if _, err := in.Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (w env) setValue(t *testing.T, name, value string) {
	t.Helper()
	patch := fmt.Sprintf(`{"data":{"v":%q}}`, value)
	if _, err := w.configMaps.Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// triggers bumps the Application of a ConfigMap's name, and holds a trigger whose
// kind nobody has installed.
func (w env) triggers() string {
	return fmt.Sprintf(`
triggers:
  - name: missing-kind
    source: {type: resource-watcher, properties: {apiVersion: kpack.io/v1alpha2, kind: Image, namespace: %[1]s}}
    action: {type: bump-application-revision}
  - name: bump
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}}
    filter: context.data.metadata.name != "kube-root-ca.crt"
    action: {type: bump-application-revision}
`, w.namespace)
}

// TestRunActs acts on an edit, although another trigger's kind is missing, and
// says clearly what it cannot do.
func TestRunActs(t *testing.T) {
	w := newEnv(t)
	w.create(t, w.applications, "core.oam.dev/v1beta1", "Application", "web")
	for _, name := range []string{"web", "nothing"} {
		w.create(t, w.configMaps, "v1", "ConfigMap", name)
	}
	p := startRun(t, "-c", writeConfig(t, w.triggers()), "--kubeconfig", w.Kubeconfig)
	p.waitForLog(t, "watching")
	w.setValue(t, "web", "1")
	if l := p.waitForLog(t, "Acted on event")[0]; l["trigger"] != "default/bump" {
		t.Errorf("acted as %v", l["trigger"])
	}
	app, err := w.applications.Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || app.GetAnnotations()["app.oam.dev/publishVersion"] != "1" {
		t.Errorf("annotations %v, %v", app.GetAnnotations(), err)
	}
	w.setValue(t, "nothing", "1")
	if l := p.waitForLog(t, "Event given up")[0]; !strings.Contains(fmt.Sprint(l), `applications.core.oam.dev "nothing" not found`) || fmt.Sprint(l["attempts"]) != "1" {
		t.Errorf("got %v", l)
	}
	if l := p.waitForLog(t, "no such kind is registered; waiting for it")[0]; l["kind"] != "Image" || l["apiVersion"] != "kpack.io/v1alpha2" {
		t.Errorf("got %v", l)
	}
	p.stop(t)
}

// TestRunForbidden says who may not do what: to watch, and to act.
func TestRunForbidden(t *testing.T) {
	w := newEnv(t)
	w.create(t, w.applications, "core.oam.dev/v1beta1", "Application", "web")
	w.create(t, w.configMaps, "v1", "ConfigMap", "web")
	nobody := w.ServiceAccount(t, w.namespace, "nobody")
	p := startRun(t, "-c", writeConfig(t, w.triggers()), "--kubeconfig", kubeconfig(t, nobody, w.namespace))
	want := fmt.Sprintf(`User "system:serviceaccount:%s:nobody" cannot list resource "configmaps"`, w.namespace)
	if l := p.waitForLog(t, "Source failed")[0]; !strings.Contains(fmt.Sprint(l["err"]), want) && !strings.Contains(fmt.Sprint(l), want) {
		t.Errorf("got %v", l)
	}
	p.stop(t)

	reader := w.ServiceAccount(t, w.namespace, "reader",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}},
		rbacv1.PolicyRule{APIGroups: []string{"core.oam.dev"}, Resources: []string{"applications"}, Verbs: []string{"get"}})
	p = startRun(t, "-c", writeConfig(t, w.triggers()), "--kubeconfig", kubeconfig(t, reader, w.namespace))
	p.waitForLog(t, "watching")
	w.setValue(t, "web", "1")
	want = fmt.Sprintf(`User "system:serviceaccount:%s:reader" cannot patch resource "applications"`, w.namespace)
	if l := p.waitForLog(t, "Event given up")[0]; !strings.Contains(fmt.Sprint(l), want) {
		t.Errorf("got %v", l)
	}
	p.stop(t)
}

// TestRunUnreachable keeps trying a cluster that does not answer, and gives up
// only with --fail-fast.
func TestRunUnreachable(t *testing.T) {
	// The port of a connection is nobody else's, and nobody listens on it.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	address := c.LocalAddr().String()
	file := kubeconfig(t, &rest.Config{Host: "http://" + address}, "default")
	text := writeConfig(t, env{namespace: "default"}.triggers())

	p := startRun(t, "-c", text, "--kubeconfig", file)
	if l := p.waitForLog(t, "Source failed")[0]; !strings.Contains(fmt.Sprint(l), address) || !strings.Contains(fmt.Sprint(l), "connection refused") {
		t.Errorf("got %v", l)
	}
	p.stop(t)

	p = startRun(t, "-c", text, "--kubeconfig", file, "--fail-fast")
	if err := <-p.ended; err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("got %v", err)
	}
}
