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
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/action"
	triggers "github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/smtp"
	"github.com/kubevela/kube-trigger/test/vela"
)

// stepName is the name of the Application, of the WorkflowRun and of the trigger of each step:
// its `context.name`.
const stepName = "starts"

// TestSteps_Conformance runs each step as an action and in a WorkflowRun, in a namespace each. The
// objects and the requests are the same.
func TestSteps_Conformance(t *testing.T) {
	w := vela.StartWorkflow(t)
	w.InstallSteps(t)
	runSteps(t, w, templates(t), stepCases(false))
}

// TestSteps_Own does the same with steps that use the packages of later versions of KubeVela:
// `vela/kube`, `vela/http` and so on.
func TestSteps_Own(t *testing.T) {
	w := vela.StartWorkflow(t)
	w.InstallSteps(t)
	own := templates(t)
	files, err := filepath.Glob("testdata/steps/*.cue")
	if err != nil || len(files) == 0 {
		t.Fatalf("no steps: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".cue")
		w.Apply(t, fmt.Sprintf(`
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {name: %s, namespace: vela-system}
spec: {schematic: {cue: {template: %q}}}
`, name, text))
		step := workflowstep.Step{Name: name}.String()
		template, problems := action.Parse(step, string(text))
		if len(problems) > 0 {
			t.Fatalf("%s: %v", file, problems)
		}
		own[step] = triggers.Parsed(template)
	}
	runSteps(t, w, own, []vela.StepCase{
		{Step: "own-kube", Properties: `{name: copied}`},
		{Step: "own-delete", Properties: `{app: doomed}`},
		{Step: "own-patch", Properties: `{added: "1"}`},
		{Step: "own-http", Properties: `{secretRef: {name: address, key: url}, text: hello}`, Compared: "requests"},
		{Step: "own-email", Properties: `{port: MAILPORT, to: [b@example.com, c@example.com]}`, Compared: "mails"},
		{Step: "own-config", Properties: `{name: made}`},
		{Step: "own-wait", Properties: `{image: "nginx:1.27", replicas: 2}`, Compared: "output", Output: "image", ValueFrom: "outputs.image"},
	})
}

// TestSteps_Application does the same with steps that vela-core alone runs, in the workflow of
// an Application.
func TestSteps_Application(t *testing.T) {
	k := vela.Start(t)
	k.Install(t, vela.TerraformCRDs(t)...)
	k.Apply(t, providerTemplate)
	runSteps(t, &vela.Workflow{Cluster: k.Cluster, Client: k.Client}, templates(t), stepCases(true))
}

// stepCases returns the cases of Applications, or the others.
func stepCases(application bool) []vela.StepCase {
	return slices.DeleteFunc(vela.StepCases(), func(c vela.StepCase) bool { return c.Application != application })
}

// templates returns the templates of vela.StepDefinitions, by the type of their actions.
func templates(t *testing.T) map[string]triggers.Template {
	out := map[string]triggers.Template{}
	for _, d := range vela.StepDefinitions(t) {
		if d.Template != nil {
			out[workflowstep.Step{Name: d.Name}.String()] = triggers.Parsed(d.Template)
		}
	}
	return out
}

// providerTemplate is the template of a config that makes a Provider of Terraform.
const providerTemplate = `
apiVersion: v1
kind: ConfigMap
metadata:
  name: config-template-terraform-ec
  namespace: vela-system
  labels: {config.oam.dev/catalog: velacore-config, config.oam.dev/scope: system}
  annotations: {config.oam.dev/sensitive: "true"}
data:
  template: |
    metadata: {name: "terraform-ec", alias: "EC", scope: "system", sensitive: true}
    template: {
    	output: {apiVersion: "v1", kind: "Secret", metadata: {name: context.name, namespace: context.namespace}, type: "Opaque", stringData: key: parameter.EC_API_KEY}
    	outputs: provider: {
    		apiVersion: "terraform.core.oam.dev/v1beta1", kind: "Provider", metadata: {name: parameter.name, namespace: context.namespace}
    		spec: {provider: "ec", credentials: {source: "Secret", secretRef: {name: context.name, namespace: context.namespace, key: "key"}}}
    	}
    	parameter: {name: string, EC_API_KEY: string}
    }
`

// runSteps runs cases. The workflows have the definitions of the cluster, and the actions templates.
func runSteps(t *testing.T, w *vela.Workflow, templates map[string]triggers.Template, cases []vela.StepCase) {
	for i, c := range cases {
		t.Run(fmt.Sprintf("%s/%d", c.Step, i), func(t *testing.T) {
			t.Parallel()
			switch {
			case c.Newer && os.Getenv("KUBEVELA_CHART") == "":
				t.Skip("needs a newer KubeVela than the pinned one in KUBEVELA_CHART")
			case !fits(t, templates["step/"+c.Step], c):
				if os.Getenv("KUBEVELA_DEFINITIONS") == "" {
					t.Fatal("refused, or not among the definitions")
				}
				t.Skip("for definitions of another version of KubeVela")
			}
			ours, theirs := newStepRun(t, w, c, templates), newStepRun(t, w, c, nil)
			if c.Request == "" {
				theirs.asWorkflow(t)
			}
			ours.asAction(t)
			if c.Request != "" {
				if diff := cmp.Diff([]string{c.Request}, ours.requests); diff != "" {
					t.Error(diff)
				}
				return
			}
			got, want := ours.result(t), theirs.result(t)
			if c.Compared != "" && !strings.Contains(want, `"`+c.Compared+`":`) {
				t.Errorf("the workflow leaves no %s: %s", c.Compared, want)
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("the workflow and the action differ (-workflow +action):\n%s", diff)
			}
		})
	}
}

// fits reports whether the template of get declares the properties of c, and requires no others.
func fits(t *testing.T, get triggers.Template, c vela.StepCase) bool {
	t.Helper()
	if get == nil {
		return false
	}
	template, problems := get()
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	properties := map[string]any{}
	if err := yaml.Unmarshal([]byte(c.Properties), &properties); err != nil {
		t.Fatal(err)
	}
	all, err := template.ParameterSchema()
	if err != nil {
		t.Fatal(err)
	}
	declared, isObject := all["properties"].(map[string]any)
	for name := range properties {
		if isObject && declared[name] == nil { // else it is one of several
			return false
		}
	}
	for _, name := range asList(all["required"]) {
		if name, _ := name.(string); properties[name] == nil {
			return false
		}
	}
	return true
}

// stepRun is a namespace in which a step runs, with servers for its requests and mails.
type stepRun struct {
	workflowRuns
	vela.StepCase
	server *httptest.Server
	smtp   *smtp.Server

	mu       sync.Mutex
	requests []string
}

func newStepRun(t *testing.T, w *vela.Workflow, c vela.StepCase, templates map[string]triggers.Template) *stepRun {
	t.Helper()
	r := &stepRun{workflowRuns: workflowRuns{Workflow: w, namespace: w.Namespace(t), steps: templates}, StepCase: c, smtp: smtp.New(t)}
	r.smtp.Set(smtp.Behavior{NoTLS: true})
	if c.Application {
		r.object = map[string]any{
			"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": map[string]any{"name": stepName, "namespace": r.namespace},
		}
	}
	r.server = httptest.NewServer(http.HandlerFunc(r.answer))
	t.Cleanup(r.server.Close)
	r.Apply(t, r.replace(`
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE}
data: {a: b}
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
kind: ServiceAccount
metadata: {name: kubevela-vela-core, namespace: vela-system}
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
	if c.Objects != "" {
		r.Apply(t, r.replace(c.Objects))
	}
	return r
}

// answer answers a request of the step. It answers queries as Prometheus does.
func (r *stepRun) answer(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	var value any
	if json.Unmarshal(body, &value) == nil { // versions of KubeVela differ in the order of fields
		body, _ = json.Marshal(value)
	}
	request := fmt.Sprintf("%s %s %s %s %s", q.Method, q.URL, q.Header.Get("Content-Type"), q.Header.Get("X-Test"), body)
	if q.URL.Path == "/api/v1/query" {
		request, _, _ = strings.Cut(request, "&time=")
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"3"]}]}}`))
	} else {
		_, _ = w.Write([]byte("{}"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.URL.Path != "/api/v1/query" || !slices.Contains(r.requests, request) { // it is repeated
		r.requests = append(r.requests, request)
	}
}

// replace returns text for the run.
func (r *stepRun) replace(text string) string {
	return strings.NewReplacer("NAMESPACE", r.namespace, "SERVER", r.server.URL, "MAILPORT", strconv.Itoa(r.smtp.Port())).Replace(text)
}

// asAction runs the step as an action. The ConfigMap "result" gets its output.
func (r *stepRun) asAction(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go r.finish(ctx)
	actions := fmt.Sprintf(`actions: [{name: %s, type: step/%[1]s, properties: %s}`, r.Step, r.replace(r.Properties))
	if r.Output != "" {
		actions += fmt.Sprintf(`, {type: step/export2config, cue: 'configName: "result", data: out: context.results[%q].%s'}`, r.Step, r.Output)
	}
	r.mustRunActions(t, "1", actions+"]")
}

// asWorkflow runs the step in the workflow of an Application or in a WorkflowRun.
func (r *stepRun) asWorkflow(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go r.finish(ctx)
	steps := fmt.Sprintf(`steps: [{name: %s, type: %[1]s, properties: %s`, r.Step, r.replace(r.Properties))
	if r.ValueFrom != "" {
		steps += fmt.Sprintf(`, outputs: [{name: out, valueFrom: %q}]}, {name: export, type: export2config, properties: {configName: result, data: {}}, inputs: [{from: out, parameterKey: data.out}]`, r.ValueFrom)
	}
	steps += "}]"
	if !r.Application {
		r.Apply(t, fmt.Sprintf("apiVersion: core.oam.dev/v1alpha1\nkind: WorkflowRun\nmetadata: {name: %s, namespace: %s}\nspec: {workflowSpec: {%s}}", stepName, r.namespace, steps))
		r.waitForStatus(t, "succeeded")
		return
	}
	r.Apply(t, fmt.Sprintf("apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: %s, namespace: %s}\nspec: {components: [], workflow: {%s}}", stepName, r.namespace, steps))
	cluster.Eventually(t, "the end of the workflow", func(ctx context.Context) error {
		app := object("core.oam.dev/v1beta1", "Application")
		if err := r.Client.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: stepName}, app); err != nil {
			return err
		}
		if phase, _, _ := unstructured.NestedString(app.Object, "status", "workflow", "status"); phase != "succeeded" {
			return fmt.Errorf("got %v", app.Object["status"])
		}
		return nil
	})
}

// finish plays the kubelet and Terraform until ctx ends: pods become ready, or succeed if they
// are not restarted; what Terraform makes becomes available.
func (r *stepRun) finish(ctx context.Context) {
	const running, succeeded = `{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}`, `{"phase":"Succeeded"}`
	for ctx.Err() == nil {
		for _, kind := range []struct{ apiVersion, kind, status string }{
			{"v1", "Pod", running},
			{"terraform.core.oam.dev/v1beta2", "Configuration", `{"apply":{"state":"Available"}}`},
			{"terraform.core.oam.dev/v1beta1", "Provider", `{"state":"ready"}`},
		} {
			for _, o := range r.objects(ctx, kind.apiVersion, kind.kind) {
				if policy, _, _ := unstructured.NestedString(o.Object, "spec", "restartPolicy"); policy == "Never" {
					kind.status = succeeded
				}
				patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"status":%s}`, kind.status))
				_ = r.Client.Status().Patch(ctx, &o, patch) // it may be deleted meanwhile
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// objects returns the objects of a kind in the namespace, and the Jobs and Pods in vela-system that
// name it; none if the kind does not exist.
func (r *stepRun) objects(ctx context.Context, apiVersion, kind string) []unstructured.Unstructured {
	var found []unstructured.Unstructured
	for _, namespace := range []string{r.namespace, "vela-system"} {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(apiVersion)
		list.SetKind(kind + "List")
		if err := r.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return found
		}
		for _, o := range list.Items {
			if namespace == r.namespace || (kind == "Job" || kind == "Pod") && strings.Contains(fmt.Sprint(o.Object), r.namespace) {
				found = append(found, o)
			}
		}
	}
	return found
}

// result returns the objects in the namespace, the requests and the mails, in JSON. What tells of the
// run itself is not in it.
func (r *stepRun) result(t *testing.T) string {
	t.Helper()
	out := map[string]any{}
	for _, kind := range [][2]string{
		{"v1", "ConfigMap"}, {"v1", "Secret"}, {"v1", "Pod"}, {"batch/v1", "Job"}, {"apps/v1", "Deployment"}, {"core.oam.dev/v1beta1", "Application"},
		{"terraform.core.oam.dev/v1beta2", "Configuration"}, {"terraform.core.oam.dev/v1beta1", "Provider"},
	} {
		for _, o := range r.objects(t.Context(), kind[0], kind[1]) {
			own := strings.HasPrefix(o.GetName(), "workflow-") || o.GetName() == stepName || o.GetName() == "kube-root-ca.crt" || o.GetName() == "address"
			made := slices.ContainsFunc(o.GetOwnerReferences(), func(ref metav1.OwnerReference) bool { return ref.Kind == "ReplicaSet" || ref.Kind == "Job" })
			if own || made || o.GetDeletionTimestamp() != nil {
				continue
			}
			data := o.Object["data"]
			if kind[1] == "Secret" {
				data = decoded(t, &o)
			}
			out[kind[1]+" "+o.GetName()] = map[string]any{"data": data, "type": o.Object["type"], "spec": o.Object["spec"]}
		}
	}
	for _, m := range r.smtp.Mails() {
		out["mails"] = append(asList(out["mails"]), readMail(t, m))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	requests := slices.Clone(r.requests)
	slices.Sort(requests)
	if len(requests) > 0 {
		out["requests"] = requests
	}
	if cm, ok := out["ConfigMap result"]; ok {
		out["output"] = cm
		delete(out, "ConfigMap result")
	}
	text, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	// What differs between runs: the IDs of sessions, of Jobs and of volumes.
	ids := regexp.MustCompile(`(` + stepName + `(-` + r.Step + `)?-)[0-9a-z]{10}\b|(kube-api-access-)[0-9a-z]{5}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	return ids.ReplaceAllString(strings.NewReplacer(r.namespace, "NAMESPACE", r.server.URL, "SERVER").Replace(string(text)), "${1}${3}ID")
}

// decoded returns the data of a Secret as text.
func decoded(t *testing.T, o *unstructured.Unstructured) map[string]string {
	t.Helper()
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	for name, encoded := range data {
		var text []byte
		if text, err = base64.StdEncoding.DecodeString(encoded); err == nil {
			data[name] = string(text)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// readMail returns what a reader of a mail sees.
func readMail(t *testing.T, m smtp.Mail) map[string]any {
	t.Helper()
	message, err := mail.ReadMessage(strings.NewReader(m.Message))
	if err != nil {
		t.Fatal(err)
	}
	from, err := message.Header.AddressList("From")
	if err != nil {
		t.Fatal(err)
	}
	to, err := message.Header.AddressList("To")
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	kind, _, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(message.Body))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"envelope": []any{m.From, m.To}, "from": from, "to": to, "subject": subject, "type": kind, "body": strings.TrimRight(string(body), "\r\n"),
	}
}
