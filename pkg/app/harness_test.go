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
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/renewal"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// childCommand is the argument before the options, as JSON, of a process that
// calls Run.
const childCommand = "run-options"

// TestMain makes the test binary its own child process: the one that checks
// configurations, and those of startProcess.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 2 && os.Args[1] == CheckConfigCommand:
		exit(CheckConfig(os.Stdin, os.Stdout))
	case len(os.Args) == 2 && os.Args[1] == EvalCommand:
		exit(ServeEval(context.Background(), os.Stdin, os.Stdout))
	case len(os.Args) == 2 && os.Args[1] == TestCommand:
		exit(ServeTest(context.Background(), os.Stdin, os.Stdout))
	case len(os.Args) == 2 && os.Args[1] == DescribeActionsCommand:
		exit(DescribeActions(os.Stdin, os.Stdout))
	case len(os.Args) == 3 && os.Args[1] == childCommand:
		exit(runChild(os.Args[2]))
	}
	SetLibraryLoggers(logr.Discard())
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runChild(options string) error {
	var o RunOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	log, err := NewLogger(os.Stderr, "info", "json")
	if err != nil {
		return err
	}
	err = Run(logr.NewContext(context.Background(), log), o)
	if errors.Is(err, renewal.ErrDue) {
		err = renewal.Exec()
	}
	return err
}

// process is a call of Run, or a process that calls it. It records the log.
type process struct {
	mu     sync.Mutex
	lines  []map[string]any
	rest   []byte
	cancel context.CancelFunc
	done   chan error
}

// startRun calls Run in the background, until p.stop or the end of the test.
func startRun(t *testing.T, o RunOptions) *process {
	t.Helper()
	return startRunAt(t, o, "info")
}

func startRunAt(t *testing.T, o RunOptions, logLevel string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cancel: cancel, done: make(chan error, 1)}
	log, err := NewLogger(p, logLevel, "json")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, l := range p.linesWhere(func(map[string]any) bool { return true }) {
				t.Log(l)
			}
			select {
			case err := <-p.done:
				t.Log("done:", err)
			default:
			}
		}
	})
	go func() { p.done <- Run(logr.NewContext(ctx, log), o) }()
	t.Cleanup(func() { p.cancel() })
	return p
}

// startProcess starts a process that calls Run, and is replaced when it is due.
func startProcess(t *testing.T, o RunOptions) (*exec.Cmd, *process) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd, p := exec.Command(self, childCommand, string(options)), &process{}
	cmd.Stderr = p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, p
}

// Write records the lines of a JSON log.
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
			m = map[string]any{"msg": string(line)} // an error at the end, or a panic
		}
		p.lines, p.rest = append(p.lines, m), rest
	}
}

// linesWhere returns the lines so far that match.
func (p *process) linesWhere(match func(line map[string]any) bool) []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.lines), func(l map[string]any) bool { return !match(l) })
}

// waitForLog waits for a line with the message, and returns all such lines so
// far.
func (p *process) waitForLog(t *testing.T, message string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	eventually(t, fmt.Sprintf("%q in the log", message), func() bool {
		lines = p.linesWhere(func(l map[string]any) bool { return l["msg"] == message })
		return len(lines) > 0
	})
	return lines
}

// waitForDecisions waits for n lines of a trigger with the message and, unless it
// is empty, the reason. It returns all such lines so far.
func (p *process) waitForDecisions(t *testing.T, n int, trigger, message, reason string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	eventually(t, fmt.Sprintf("%d of %q by %s (%s)", n, message, trigger, reason), func() bool {
		lines = p.linesWhere(func(l map[string]any) bool {
			return l["msg"] == message && l["trigger"] == "default/"+trigger && (reason == "" || l["reason"] == reason)
		})
		return len(lines) >= n
	})
	return lines
}

// wait waits for the end of the run, and returns its error.
func (p *process) wait(t *testing.T) error {
	t.Helper()
	return cluster.Receive(t, "the end of the run", p.done)
}

// stop ends the run, which must not fail.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.cancel()
	if err := p.wait(t); err != nil {
		t.Error(err)
	}
}

// eventually polls until condition is true.
func eventually(t *testing.T, description string, condition func() bool) {
	t.Helper()
	cluster.Eventually(t, description, func(context.Context) error {
		if !condition() {
			return errors.New("not yet")
		}
		return nil
	})
}

// runOptions returns options for a configuration, with a store file of its own.
func runOptions(t *testing.T, config, kubeconfig string) RunOptions {
	t.Helper()
	o := DefaultRunOptions()
	o.Config = writeConfig(t, config)
	o.Kubeconfig = kubeconfig
	o.Store = filepath.Join(t.TempDir(), "store.db")
	return o
}

func writeConfig(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// writeActions writes templates to a directory.
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

// writeKubeconfig writes cfg to a file.
func writeKubeconfig(t *testing.T, cfg *rest.Config, namespace string) string {
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

// env is an API server and a namespace in it.
type env struct {
	*cluster.Cluster
	namespace    string
	configMaps   dynamic.ResourceInterface
	applications dynamic.ResourceInterface
	services     dynamic.ResourceInterface
	definitions  dynamic.ResourceInterface
	// key is that of the controller.
	key ed25519.PrivateKey
}

func newEnv(t *testing.T) env {
	t.Helper()
	c := cluster.Start(t)
	c.InstallApplicationCRD(t)
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	e := env{Cluster: c, namespace: c.Namespace(t)}
	e.configMaps = client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(e.namespace)
	e.applications = client.Resource(schema.GroupVersionResource{Group: "core.oam.dev", Version: "v1beta1", Resource: "applications"}).Namespace(e.namespace)
	e.services = client.Resource(v1alpha1.GroupVersion().WithResource("triggerservices")).Namespace(e.namespace)
	e.definitions = client.Resource(corev1alpha1.GroupVersion().WithResource("definitions")).Namespace(e.namespace)
	if _, e.key, err = ed25519.GenerateKey(nil); err != nil {
		t.Fatal(err)
	}
	return e
}

// options returns options for a configuration on the API server.
func (e env) options(t *testing.T, config string) RunOptions {
	t.Helper()
	return runOptions(t, config, e.Kubeconfig)
}

// serviceOptions returns options for a TriggerService of the namespace.
func (e env) serviceOptions(name string) RunOptions {
	o := DefaultRunOptions()
	o.Kubeconfig = e.Kubeconfig
	o.TriggerService = e.namespace + "/" + name
	o.PodName = "worker"
	o.ControllerKey = acceptance.FormatKey(e.key)
	return o
}

func (e env) createConfigMap(t *testing.T, name string) {
	t.Helper()
	create(t, e.configMaps, map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}, name)
}

func (e env) createApplication(t *testing.T, name string) {
	t.Helper()
	create(t, e.applications, map[string]any{
		"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "spec": map[string]any{"components": []any{}},
	}, name)
}

func create(t *testing.T, in dynamic.ResourceInterface, object map[string]any, name string) {
	t.Helper()
	u := &unstructured.Unstructured{Object: object}
	u.SetName(name)
	if _, err := in.Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// installCRDs installs the CRDs of kube-trigger.
func (e env) installCRDs(t *testing.T) {
	t.Helper()
	crds, err := filepath.Glob("../../addon/crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e.Install(t, crds...)
}

// createService creates a TriggerService with a spec in YAML.
func (e env) createService(t *testing.T, name, spec string) error {
	t.Helper()
	var service unstructured.Unstructured
	text := fmt.Sprintf("apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerService\nmetadata: {name: %s}\nspec: %s", name, strings.ReplaceAll(spec, "\n", "\n  "))
	if err := yaml.Unmarshal([]byte(text), &service.Object); err != nil {
		t.Fatal(err)
	}
	_, err := e.services.Create(t.Context(), &service, metav1.CreateOptions{})
	return err
}

// createAccount creates the default ServiceAccount of triggers, with all rights.
func (e env) createAccount(t *testing.T) {
	t.Helper()
	text := fmt.Sprintf(`
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: %[1]s, name: kube-trigger}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, namespace: %[1]s, name: kube-trigger}]
`, e.namespace)
	c, err := client.New(e.Config, client.Options{})
	if err == nil {
		err = cluster.Apply(t.Context(), c, text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// accept writes the accepted version of a TriggerService for its own worker, as the
// controller does.
func (e env) accept(t *testing.T, name string) error {
	t.Helper()
	return e.assign(t, name, trigger.WorkerName(name), 0)
}

// assign writes the accepted version of a TriggerService for a worker, with the port of its
// webhooks.
func (e env) assign(t *testing.T, name, deployment string, webhookPort int32) error {
	t.Helper()
	u, err := e.services.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	ts := &v1alpha1.TriggerService{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, ts); err != nil {
		return err
	}
	d, err := acceptance.Sign(e.key, acceptance.Version{
		Namespace: ts.Namespace, Name: ts.Name, UID: ts.UID, Generation: ts.Generation, Worker: deployment, WebhookPort: webhookPort, Spec: ts.Spec,
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = e.definitions.Patch(t.Context(), d.Name, types.ApplyPatchType, text, metav1.PatchOptions{FieldManager: "test"})
	return err
}

// createCheckedService creates a TriggerService that the controller has accepted.
func (e env) createCheckedService(t *testing.T, name, spec string) {
	t.Helper()
	e.createAccount(t)
	if err := errors.Join(e.createService(t, name, spec), e.accept(t, name)); err != nil {
		t.Fatal(err)
	}
}

// setValue sets data.v of a ConfigMap.
func (e env) setValue(t *testing.T, name, value string) {
	t.Helper()
	patch := fmt.Sprintf(`{"data":{"v":%q}}`, value)
	if _, err := e.configMaps.Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// publishVersion returns the version to which a trigger has bumped an Application.
func (e env) publishVersion(t *testing.T, application string) string {
	t.Helper()
	app, err := e.applications.Get(t.Context(), application, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return app.GetAnnotations()["app.oam.dev/publishVersion"]
}

// triggers are a trigger that bumps the Application with the name of an updated
// ConfigMap, and a trigger whose kind is not installed.
func (e env) triggers() string {
	return fmt.Sprintf(`
triggers:
  - name: missing-kind
    source: {type: resource-watcher, properties: {apiVersion: kpack.io/v1alpha2, kind: Image, namespace: %[1]s}}
    action: {type: bump-application-revision}
  - name: bump
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}}
    filter: context.data.metadata.name != "kube-root-ca.crt"
    action: {type: bump-application-revision}
    retry: {limit: 0}
`, e.namespace)
}

// runExample runs an example, with the namespace of e in place of default.
func (e env) runExample(t *testing.T, name string) *process {
	t.Helper()
	p := startRun(t, e.options(t, exampleConfig(t, name, e.namespace)))
	p.waitForLog(t, "watching")
	return p
}

// exampleConfig returns the configuration of an example for a namespace.
func exampleConfig(t *testing.T, name, namespace string) string {
	t.Helper()
	text, err := os.ReadFile("../../examples/" + name + "/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "namespace: default", "namespace: "+namespace)
}
