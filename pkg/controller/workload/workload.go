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

// Package workload renders worker templates into Deployments.
//
// A template is CUE. Its `deployment` is the Deployment and its `parameter` the schema
// of the properties. It can refer to `triggerService: {name, namespace,
// serviceAccountName}`, whose name and account are empty for the worker of a namespace, and
// to `image`, the worker's image. The name, the namespace,
// the selector and the ServiceAccount of the Deployment are always those of the
// caller, and SetControllerKey adds the key that a worker verifies its configuration with.
package workload

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
)

//go:embed dedicated.cue
var dedicated string

//go:embed namespace.cue
var namespace string

// Dedicated returns the source of the built-in template of a TriggerService's own worker.
func Dedicated() string { return dedicated }

// Namespace returns the source of the built-in template of the worker of a namespace.
func Namespace() string { return namespace }

// MaxDeployment is the maximum size of a rendered Deployment as JSON, in bytes.
const MaxDeployment = 128 << 10

// Flags of a worker that name its TriggerService, or the namespace of its TriggerServices.
const (
	serviceFlag   = "--trigger-service"
	namespaceFlag = "--worker-namespace"
)

// Input has the values for a template.
type Input struct {
	// Name, Namespace and ServiceAccount are those of the Deployment.
	Name, Namespace, ServiceAccount string
	// Service is the TriggerService's name, and TriggerAccount its ServiceAccount. Both are
	// empty for the worker of a namespace.
	Service, TriggerAccount string
	// Image is the value of `image`.
	Image string
	// Labels are set on the Deployment, its selector and its pods.
	Labels map[string]string
	// Properties are the user's values of `parameter`.
	Properties map[string]any
}

// Deployment renders the template source. Problems whose path begins with "properties"
// are of the user's properties, others of the template.
func Deployment(source string, in Input) (*appsv1.Deployment, diag.List) {
	// A definition is closed: properties that the template does not declare are
	// rejected.
	frame, err := json.Marshal(map[string]any{
		"image":          in.Image,
		"triggerService": map[string]string{"name": in.Service, "namespace": in.Namespace, "serviceAccountName": in.TriggerAccount},
	})
	if err != nil {
		return nil, diag.List{{Message: err.Error()}}
	}
	template := cuecontext.New().CompileString(source+"\n#parameter: parameter\n"+string(frame[1:len(frame)-1]), cue.Filename("template.cue"))
	if err := template.Err(); err != nil {
		return nil, cueProblems(err)
	}
	parameter := template.LookupPath(cue.ParsePath("#parameter"))
	if list := schema.FromValue(parameter, nil).Check(in.Properties); len(list) > 0 {
		return nil, list.WithPrefix("properties")
	}
	filled := template.FillPath(cue.ParsePath("parameter"), in.Properties)
	text, err := filled.LookupPath(cue.ParsePath("deployment")).MarshalJSON()
	if err != nil {
		return nil, cueProblems(err)
	}
	d := &appsv1.Deployment{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(d); err != nil {
		return nil, diag.List{{Path: "deployment", Message: err.Error()}}
	}
	if len(d.Spec.Template.Spec.Containers) == 0 {
		return nil, diag.List{{Path: "deployment", Message: "must have a container"}}
	}
	if len(text) > MaxDeployment {
		return nil, diag.List{{Path: "deployment", Message: fmt.Sprintf("is larger than %d KiB", MaxDeployment>>10)}}
	}
	setFixedFields(d, in)
	return d, nil
}

// setFixedFields sets the fields that neither templates nor users can choose.
func setFixedFields(d *appsv1.Deployment, in Input) {
	d.APIVersion, d.Kind = "apps/v1", "Deployment"
	d.ObjectMeta = metav1.ObjectMeta{
		Name: in.Name, Namespace: in.Namespace,
		Labels: mergeLabels(d.Labels, in.Labels), Annotations: d.Annotations,
	}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: in.Labels}
	pod := &d.Spec.Template
	pod.ObjectMeta = metav1.ObjectMeta{Labels: mergeLabels(pod.Labels, in.Labels), Annotations: pod.Annotations}
	pod.Spec.ServiceAccountName, pod.Spec.DeprecatedServiceAccount = in.ServiceAccount, ""
	d.Status = appsv1.DeploymentStatus{}
}

func mergeLabels(base, over map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, base)
	maps.Copy(out, over)
	return out
}

func cueProblems(err error) diag.List {
	return expr.ErrorDiagnostics(err, expr.ErrorOptions{}).WithPrefix("template")
}

// SetControllerKey appends the argument --controller-key to the workers of d.
func SetControllerKey(d *appsv1.Deployment, key string) { AppendArgs(d, "--controller-key="+key) }

// AppendArgs appends arguments to the containers of d that run a worker: those whose command
// or arguments have --trigger-service or --worker-namespace. The last argument of a name wins.
func AppendArgs(d *appsv1.Deployment, args ...string) {
	containers := d.Spec.Template.Spec.Containers
	for i := range containers {
		isWorker := slices.ContainsFunc(slices.Concat(containers[i].Command, containers[i].Args), func(a string) bool {
			flag, _, _ := strings.Cut(a, "=")
			return flag == serviceFlag || flag == namespaceFlag
		})
		if isWorker {
			containers[i].Args = append(slices.Clip(containers[i].Args), args...)
		}
	}
}
