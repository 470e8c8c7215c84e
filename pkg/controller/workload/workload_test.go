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

package workload_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/controller/workload"
)

func input(properties map[string]any) workload.Input {
	return workload.Input{
		Name: "kube-trigger-main", Namespace: "a", ServiceAccount: "kube-trigger-worker", Service: "main", TriggerAccount: "kube-trigger", Image: "image:1",
		Labels: map[string]string{"l": "main"}, Properties: properties,
	}
}

func TestDeployment_Default(t *testing.T) {
	d, problems := workload.Deployment(workload.Dedicated(), input(map[string]any{
		"replicas": int64(2), "config": map[string]any{"timeout": 1.5, "logLevel": "debug"},
		"resource": map[string]any{"memory": map[string]any{"limits": "1Gi"}},
	}))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c := d.Spec.Template.Spec.Containers[0]
	want := []string{
		"run", "--trigger-service=a/main", "--metrics-addr=:8080", "--webhook-addr=:8090", "--state-dir=/var/lib/kube-trigger", "--lease-duration=3s", "--log-format=json", "--log-level=debug",
		"--workers=4", "--queue-size=1000", "--timeout=1.5", "--max-retry=5", "--retry-delay=2",
	}
	if diff := cmp.Diff(want, c.Args[:len(want)]); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
	if *d.Spec.Replicas != 2 || c.Image != "image:1" || c.Resources.Limits.Memory().String() != "1Gi" || c.Resources.Limits.Cpu().String() != "500m" {
		t.Errorf("Deployment %+v", d.Spec)
	}
	for name, template := range map[string]string{"dedicated": workload.Dedicated(), "namespace": workload.Namespace()} {
		for replicas, short := range map[int64]bool{1: false, 2: true} {
			d, problems := workload.Deployment(template, input(map[string]any{"replicas": replicas}))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if args := d.Spec.Template.Spec.Containers[0].Args; slices.Contains(args, "--lease-duration=3s") != short {
				t.Errorf("template %s: args with %d replicas: %q", name, replicas, args)
			}
		}
	}
	if s := d.Spec.Template.Spec; !*s.SecurityContext.RunAsNonRoot || *c.SecurityContext.AllowPrivilegeEscalation || s.ServiceAccountName != "kube-trigger-worker" {
		t.Errorf("pod %+v", s)
	}
}

// TestSetControllerKey: every worker gets the key, also if its template has another one.
func TestSetControllerKey(t *testing.T) {
	d, problems := workload.Deployment(`deployment: spec: template: spec: containers: [
	{name: "own", args: ["run", "--trigger-service=a/main", "--controller-key=other"]},
	{name: "two", args: ["run", "--trigger-service", "a/main"]},
	{name: "command", command: ["kube-trigger", "run", "--trigger-service=a/main"]},
	{name: "sidecar", args: ["run"]},
]
parameter: {}`, input(nil))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	workload.SetControllerKey(d, "key")
	var got [][]string
	for _, c := range d.Spec.Template.Spec.Containers {
		got = append(got, c.Args)
	}
	want := [][]string{
		{"run", "--trigger-service=a/main", "--controller-key=other", "--controller-key=key"},
		{"run", "--trigger-service", "a/main", "--controller-key=key"},
		{"--controller-key=key"},
		{"run"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
}

// TestAppendArgs: workers get the arguments last, and other containers none.
func TestAppendArgs(t *testing.T) {
	d, problems := workload.Deployment(`deployment: spec: template: spec: containers: [
	{name: "own", args: ["run", "--trigger-service=a/main", "--cluster-access=secret"]},
	{name: "sidecar", args: ["run"]},
]
parameter: {}`, input(nil))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	workload.AppendArgs(d)
	workload.AppendArgs(d, "--cluster-access=none", "--deny-private")
	containers := d.Spec.Template.Spec.Containers
	if diff := cmp.Diff([]string{"run", "--trigger-service=a/main", "--cluster-access=secret", "--cluster-access=none", "--deny-private"}, containers[0].Args); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"run"}, containers[1].Args); diff != "" {
		t.Errorf("args of the sidecar (-want +got):\n%s", diff)
	}
}

// TestDeployment_Parameters checks what users can set in the default template.
func TestDeployment_Parameters(t *testing.T) {
	for _, name := range []string{
		"name", "namespace", "image", "command", "args", "serviceAccount", "serviceAccountName", "hostNetwork", "volumes",
		"labels", "annotations", "env", "securityContext", "imagePullSecrets", "deployment", "triggerService",
	} {
		_, problems := workload.Deployment(workload.Dedicated(), input(map[string]any{name: "x"}))
		if len(problems) != 1 || problems[0].Path != "properties."+name || !strings.Contains(problems[0].Message, "unknown field") {
			t.Errorf("%s: %v, want unknown field", name, problems)
		}
	}
	for path, properties := range map[string]map[string]any{
		"properties.replicas":            {"replicas": int64(100)},
		"properties.config.workers":      {"config": map[string]any{"workers": "x"}},
		"properties.config.logLevel":     {"config": map[string]any{"logLevel": "info --kubeconfig=/x"}},
		"properties.resource.cpu":        {"resource": map[string]any{"cpu": "1"}},
		"properties.resource.cpu.limits": {"resource": map[string]any{"cpu": map[string]any{"limits": "much"}}},
	} {
		_, problems := workload.Deployment(workload.Dedicated(), input(properties))
		if len(problems) != 1 || problems[0].Path != path {
			t.Errorf("%v: %v, want a problem of %s", properties, problems, path)
		}
	}
}

func TestDeployment_FixedFields(t *testing.T) {
	d, problems := workload.Deployment(`
deployment: {
	metadata: {name: "x", namespace: "y", labels: {l: "evil", team: "t"}, annotations: a: "b", ownerReferences: [{uid: "u"}]}
	spec: {
		selector: matchLabels: x: "y"
		template: {
			metadata: {name: "n", labels: l: "evil"}
			spec: {serviceAccountName: "evil", serviceAccount: "evil", containers: [{name: "c", image: "own:\(triggerService.serviceAccountName)"}]}
		}
	}
	status: replicas: 3
}
parameter: {}
triggerService: {...}
`, input(nil))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	pod := d.Spec.Template
	if d.Name != "kube-trigger-main" || d.Namespace != "a" || len(d.OwnerReferences) != 0 || d.Status.Replicas != 0 ||
		pod.Name != "" || pod.Spec.ServiceAccountName != "kube-trigger-worker" || pod.Spec.DeprecatedServiceAccount != "" {
		t.Errorf("Deployment %+v", d)
	}
	for field, diff := range map[string]string{
		"labels":     cmp.Diff(map[string]string{"l": "main", "team": "t"}, d.Labels),
		"selector":   cmp.Diff(map[string]string{"l": "main"}, d.Spec.Selector.MatchLabels),
		"pod labels": cmp.Diff(map[string]string{"l": "main"}, pod.Labels),
		"image":      cmp.Diff("own:kube-trigger", pod.Spec.Containers[0].Image),
	} {
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", field, diff)
		}
	}
}

func TestDeployment_BrokenTemplate(t *testing.T) {
	for source, want := range map[string]string{
		"":                             "template",
		"parameter: {":                 "template",
		"parameter: {}":                "template",
		"parameter: {}\ndeployment: 1": "deployment",
		"parameter: {}\ndeployment: spec: replicas: int": "template",
		"parameter: {}\ndeployment: spec: replica: 1":    "deployment",
		"parameter: {}\ndeployment: spec: replicas: 1":   "deployment",
	} {
		if _, problems := workload.Deployment(source, input(nil)); len(problems) == 0 || problems[0].Path != want {
			t.Errorf("%q: %v, want a problem of %s", source, problems, want)
		}
	}
}

// FuzzDeployment: no property causes a panic, or changes the ServiceAccount or the
// namespace.
func FuzzDeployment(f *testing.F) {
	f.Add("replicas", "x")
	f.Add("config", "{}")
	f.Fuzz(func(t *testing.T, key, value string) {
		d, problems := workload.Deployment(workload.Dedicated(), input(map[string]any{key: value}))
		if len(problems) == 0 && (d.Namespace != "a" || d.Spec.Template.Spec.ServiceAccountName != "kube-trigger-worker") {
			t.Errorf("%q: %q: got %+v", key, value, d)
		}
	})
}

// TestDeployment_NoLabels keeps the labels of a template, as in its validation.
func TestDeployment_NoLabels(t *testing.T) {
	const template = `
deployment: {
	metadata: labels: team: "a"
	spec: template: spec: containers: [{name: "c"}]
}
parameter: {}
`
	d, problems := workload.Deployment(template, workload.Input{Name: "x", Namespace: "x"})
	if len(problems) > 0 || d.Labels["team"] != "a" {
		t.Errorf("got %+v, problems %v", d, problems)
	}
}
