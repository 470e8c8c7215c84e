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

package actions_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
	"github.com/kubevela/kube-trigger/test/smtp"
)

// functionCall is a call of a function of a package: its fields, and the error, of the check
// if refused is set, or "".
type functionCall struct {
	fields, err string
	refused     bool
}

const (
	settings = `{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "settings", namespace: "NAMESPACE"}}`
	anApp    = `app: {name: "web", namespace: "NAMESPACE"}`
	cannot   = "an action "
)

// functionCalls has each function of each package that templates can import.
func functionCalls() map[string]functionCall {
	return map[string]functionCall{
		"vela/kube.#Get":             {fields: `$params: resource: ` + settings},
		"vela/kube.#Read":            {fields: `$params: value: ` + settings},
		"vela/kube.#Wait":            {fields: `$params: {resource: ` + settings + `, until: {path: "kind", in: ["ConfigMap"]}}`},
		"vela/kube.#List":            {fields: `$params: {resource: {apiVersion: "v1", kind: "ConfigMap"}, filter: namespace: "NAMESPACE"}`},
		"vela/kube.#Patch":           {fields: `$params: {resource: ` + settings + `, patch: data: data: patched: "yes"}`},
		"vela/kube.#Apply":           {fields: `$params: resource: ` + settings},
		"vela/kube.#ApplyInParallel": {fields: `$params: value: [{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "parallel", namespace: "NAMESPACE"}}]`},
		"vela/kube.#Create":          {fields: `$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "created", namespace: "NAMESPACE"}}`},
		"vela/kube.#Delete":          {fields: `$params: {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "absent", namespace: "NAMESPACE"}}, ignoreNotFound: true}`},

		"vela/http.#Do":         {fields: `$params: url: "SERVER"`},
		"vela/http.#HTTPDo":     {fields: `$params: url: "SERVER"`},
		"vela/http.#HTTPGet":    {fields: `$params: url: "SERVER"`},
		"vela/http.#HTTPPost":   {fields: `$params: url: "SERVER"`},
		"vela/http.#HTTPPut":    {fields: `$params: url: "SERVER"`},
		"vela/http.#HTTPDelete": {fields: `$params: url: "SERVER"`},

		"vela/email.#SendEmail": {fields: `$params: {from: {address: "trigger@example.com", host: "127.0.0.1", port: SMTP, tls: "none"}, to: ["a@example.com"], content: {subject: "s", body: "b"}}`},

		"vela/metrics.#PromCheck": {fields: `$params: {query: "up", metricEndpoint: "SERVER", condition: ">0"}`, err: "the server is no Prometheus"},

		"vela/time.#DateToTimestamp": {fields: `$params: date: "2024-01-01T00:00:00Z"`},
		"vela/time.#TimestampToDate": {fields: `$params: timestamp: 0`},

		"vela/util.#PatchK8sObject": {fields: `$params: {value: ` + settings + `, patch: metadata: labels: a: "b"}`},
		"vela/util.#ConvertString":  {fields: `$params: bt: 'bytes'`},
		"vela/util.#Log":            {fields: `$params: data: "text"`},

		"vela/builtin.#DoVar":           {fields: `$params: path: "x"`, err: cannot, refused: true},
		"vela/builtin.#Suspend":         {fields: `$params: duration: "1m"`, err: cannot, refused: true},
		"vela/builtin.#ConditionalWait": {fields: `$params: continue: true`},
		"vela/builtin.#Break":           {fields: `$params: message: "broken"`, err: "broken"},
		"vela/builtin.#Fail":            {fields: `$params: message: "failed"`, err: "failed"},
		"vela/builtin.#Message":         {fields: `$params: message: "text"`},

		"vela/config.#CreateConfig": {fields: `$params: {name: "conf", namespace: "NAMESPACE", config: a: "b"}`},
		"vela/config.#ReadConfig":   {fields: `$params: {name: "none", namespace: "NAMESPACE"}`, err: "not found"},
		"vela/config.#ListConfig":   {fields: `$params: {template: "none", namespace: "NAMESPACE"}`},
		"vela/config.#DeleteConfig": {fields: `$params: {name: "none", namespace: "NAMESPACE"}`, err: "not found"},

		"vela/op.#Apply":           {fields: `value: ` + settings},
		"vela/op.#ApplyInParallel": {fields: `value: [{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "parallel", namespace: "NAMESPACE"}}]`},
		"vela/op.#Patch":           {fields: `value: ` + settings + `, patch: metadata: labels: op: "yes"`},
		"vela/op.#Read":            {fields: `value: ` + settings},
		"vela/op.#List":            {fields: `resource: {apiVersion: "v1", kind: "ConfigMap"}, filter: namespace: "NAMESPACE"`},
		"vela/op.#Delete":          {fields: `value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "doomed", namespace: "NAMESPACE"}}`},
		"vela/op.#HTTPDo":          {fields: `url: "SERVER"`},
		"vela/op.#HTTPGet":         {fields: `url: "SERVER"`},
		"vela/op.#HTTPPost":        {fields: `url: "SERVER"`},
		"vela/op.#HTTPPut":         {fields: `url: "SERVER"`},
		"vela/op.#HTTPDelete":      {fields: `url: "SERVER"`},
		"vela/op.#SendEmail":       {fields: `from: {address: "trigger@example.com", password: "open sesame", host: "127.0.0.1", port: SMTP}, to: ["a@example.com"], content: {subject: "s", body: "b"}`, err: "certificate"},
		"vela/op.#PromCheck":       {fields: `query: "up", metricEndpoint: "SERVER", condition: ">0"`, err: "the server is no Prometheus"},
		"vela/op.#DateToTimestamp": {fields: `date: "2024-01-01T00:00:00Z"`},
		"vela/op.#TimestampToDate": {fields: `timestamp: 0`},
		"vela/op.#PatchK8sObject":  {fields: `value: ` + settings + `, patch: metadata: labels: a: "b"`},
		"vela/op.#ConvertString":   {fields: `bt: 'bytes'`},
		"vela/op.#Log":             {fields: `data: "text"`},
		"vela/op.#DoVar":           {fields: `path: "x"`, err: cannot, refused: true},
		"vela/op.#Suspend":         {fields: `duration: "1m"`, err: cannot, refused: true},
		"vela/op.#ConditionalWait": {fields: `continue: true`},
		"vela/op.#Break":           {fields: `message: "broken"`, err: "broken"},
		"vela/op.#Fail":            {fields: `message: "failed"`, err: "failed"},
		"vela/op.#Message":         {fields: `message: "text"`},
		"vela/op.#CreateConfig":    {fields: `name: "opconf", namespace: "NAMESPACE", config: a: "b"`},
		"vela/op.#ReadConfig":      {fields: `name: "none", namespace: "NAMESPACE"`, err: "not found"},
		"vela/op.#ListConfig":      {fields: `template: "none", namespace: "NAMESPACE"`},
		"vela/op.#DeleteConfig":    {fields: `name: "none", namespace: "NAMESPACE"`, err: "not found"},

		"vela/multicluster.#ListClusters": {err: "only the worker's own cluster is available"},
		"vela/op.#ListClusters":           {err: "only the worker's own cluster is available"},

		"vela/op.#DingTalk": {fields: `dingUrl: "SERVER", message: a: "b"`},
		"vela/op.#Lark":     {fields: `larkUrl: "SERVER", message: a: "b"`},
		"vela/op.#Slack":    {fields: `slackUrl: "SERVER", message: text: "b"`},

		"vela/ql.#ListResourcesInApp":      {fields: `$params: ` + anApp},
		"vela/ql.#ListAppliedResources":    {fields: `$params: ` + anApp},
		"vela/ql.#GetApplicationTree":      {fields: `$params: ` + anApp},
		"vela/ql.#CollectPods":             {fields: `$params: ` + anApp},
		"vela/ql.#CollectServices":         {fields: `$params: ` + anApp},
		"vela/ql.#CollectServiceEndpoints": {fields: `$params: ` + anApp},
		"vela/ql.#SearchEvents":            {fields: `$params: value: ` + settings},
		"vela/ql.#View":                    {fields: `$params: template: "status: 1"`},
		"vela/ql.#Read":                    {fields: `value: ` + settings},
		"vela/ql.#List":                    {fields: `resource: {apiVersion: "v1", kind: "ConfigMap"}, filter: namespace: "NAMESPACE"`},
	}
}

// functionsOf returns the definitions of p that make calls.
func functionsOf(t *testing.T, p provider.Package) []string {
	t.Helper()
	it, err := cuecontext.New().CompileString(p.Source()).Fields(cue.Definitions(true))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for it.Next() {
		if it.Value().LookupPath(cue.MakePath(cue.Def("#do"))).Exists() {
			names = append(names, p.Path+"."+it.Selector().String())
		}
	}
	return names
}

// TestFunctions calls each function of each package once. A function that an action cannot
// call is refused when the template is checked, and no call panics.
func TestFunctions(t *testing.T) {
	e := start(t)
	calls := functionCalls()
	for name, c := range calls { // vela/query is another name of vela/ql
		if rest, ok := strings.CutPrefix(name, "vela/ql."); ok {
			calls["vela/query."+rest] = c
		}
	}
	e.InstallKubeVelaCRDs(t)
	e.create(t, "core.oam.dev/v1beta1", "Application", "web", nil)
	for _, name := range []string{"settings", "doomed"} {
		e.create(t, "v1", "ConfigMap", name, nil)
	}
	for _, name := range []string{
		"ApplyApplication", "ApplyApplicationInParallel", "ApplyComponent", "RenderComponent", "ApplyComponentRemaining", "ApplyRemaining",
		"Load", "LoadInOrder", "LoadPolicies", "ApplyEnvBindApp", "Deploy", "GetPlacementsFromTopologyPolicies", "MakePlacementDecisions",
		"PatchApplication", "DeployCloudResource", "ShareCloudResource",
	} {
		calls["vela/op.#"+name] = functionCall{err: cannot + "cannot render an Application", refused: true}
	}
	for _, name := range []string{
		"multicluster.#Deploy", "multicluster.#GetPlacementsFromTopologyPolicies", "oam.#ApplyApplicationInParallel", "oam.#ApplyComponent",
		"oam.#LoadComponets", "oam.#LoadComponetsInOrder", "oam.#LoadPolicies", "oam.#RenderComponent", "terraform.#GetConnectionStatus",
		"terraform.#LoadTerraformComponents",
	} {
		calls["vela/"+name] = functionCall{err: cannot + "cannot render an Application", refused: true}
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	mail := smtp.New(t)
	values := strings.NewReplacer("NAMESPACE", e.namespace, "SERVER", server.URL, "SMTP", strconv.Itoa(mail.Port()))
	out := egress.NewClient(egress.AddressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	t.Cleanup(out.Close)
	executor := provider.New(provider.Options{Client: client.WithFieldOwner(e.Client, "test"), Namespace: e.namespace, Egress: out, View: view.Function(e.Client)})
	for _, p := range provider.Packages() {
		for _, name := range functionsOf(t, p) {
			t.Run(name, func(t *testing.T) {
				c, ok := calls[name]
				if !ok {
					t.Fatalf("functionCalls lacks %s", name)
				}
				c.check(t, name, values.Replace(c.fields), executor)
			})
		}
	}
}

func (c functionCall) check(t *testing.T, name, fields string, executor provider.Executor) {
	t.Helper()
	pkg, _, _ := strings.Cut(name, ".")
	source := "import \"" + pkg + "\"\ncall: " + path.Base(name) + " & {" + fields + "}\n"
	tmpl, diags := action.Parse("test", source)
	if c.refused || len(diags) > 0 {
		if !c.refused || !strings.Contains(diags.Error(), path.Base(name)+": "+c.err) {
			t.Errorf("refused: %v, want %q", diags, c.err)
		}
		return
	}
	a, diags := tmpl.Compile(action.Options{Trigger: event.Trigger{Name: "t", Namespace: "ns"}, Executor: executor})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	_, err := a.Start(nil, nil)(t.Context(), event.Event{Type: event.Update, Data: map[string]any{}})
	switch {
	case c.err == "" && err != nil:
		t.Error(err)
	case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "panic")):
		t.Errorf("got %v, want %q", err, c.err)
	}
}
