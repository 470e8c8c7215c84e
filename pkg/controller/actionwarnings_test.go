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

package controller_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/admission"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// TestValidator_ActionRights warns about the rights that the actions declare and the account
// lacks, where they do not depend on the event.
func TestValidator_ActionRights(t *testing.T) {
	e := newEnv(t)
	m := e.newManager(t, logr.Discard(), func(next http.RoundTripper) http.RoundTripper { return recording{e.recorder, next} })
	reviews := func() (n int) {
		for _, r := range e.recorder.requests() {
			if strings.HasSuffix(r, "/subjectaccessreviews") {
				n++
			}
		}
		return n
	}
	validator := controller.NewValidator(m, e.newOptions(t))
	start(t, m)
	if !m.GetCache().WaitForCacheSync(t.Context()) {
		t.Fatal("no cache")
	}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: "weak"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, ResourceNames: []string{"web"}, Verbs: []string{"patch"}},
	}}
	e.create(t, role)
	e.create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: "weak"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "weak"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: e.ns, Name: "weak"}},
	})
	pods := func(more string) *runtime.RawExtension {
		return &runtime.RawExtension{Raw: []byte(`{"apiVersion":"v1","kind":"Pod"` + more + `}`)}
	}
	own := fmt.Sprintf(`,"namespace":%q`, e.ns)
	action := func(typ, properties string) v1alpha1.Action {
		return v1alpha1.Action{Type: typ, Properties: &runtime.RawExtension{Raw: []byte(properties)}}
	}
	check := func(triggers ...v1alpha1.Trigger) admission.Verdict {
		t.Helper()
		ts := &v1alpha1.TriggerService{
			ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: "main"},
			Spec:       v1alpha1.TriggerServiceSpec{ServiceAccountName: "weak", Triggers: triggers},
		}
		for i := range triggers {
			triggers[i].Name = fmt.Sprintf("t%d", i)
			triggers[i].Filter = `context.data.metadata.name == "a"`
		}
		raw, err := json.Marshal(ts)
		if err != nil {
			t.Fatal(err)
		}
		v, err := validator(t.Context(), &admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Namespace: e.ns, Object: runtime.RawExtension{Raw: raw},
			Kind: metav1.GroupVersionKind{Group: v1alpha1.Group, Version: v1alpha1.Version, Kind: v1alpha1.TriggerServiceKind},
		})
		if err != nil || len(v.Problems) > 0 {
			t.Fatalf("got problems %v and error %v, want a missing right to be a warning", v.Problems, err)
		}
		return v
	}
	trigger := func(scope string, a v1alpha1.Action) v1alpha1.Trigger {
		return v1alpha1.Trigger{Source: v1alpha1.Source{Type: resource.Type, Properties: pods(scope)}, Action: a}
	}
	cannot := func(what, name, in, group, resource, verbs string) string {
		if name != "" {
			what, name = what+fmt.Sprintf(" %q", name), fmt.Sprintf(", resourceNames: [%s]", name)
		}
		return fmt.Sprintf(`serviceaccount weak cannot %s in %s; add to a Role: {apiGroups: [%q], resources: [%s]%s, verbs: [%s]}`, what, in, group, resource, name, verbs)
	}
	for name, tt := range map[string]struct {
		trigger v1alpha1.Trigger
		want    []string
	}{
		"granted":             {trigger(own, action("scale-workload", `{"kind":"Deployment","name":"web"}`)), nil},
		"one of two verbs":    {trigger(own, action("scale-workload", `{"kind":"Deployment","name":"web","by":1}`)), []string{"spec.triggers[0].action: " + cannot("get deployments", "web", e.ns, "apps", "deployments", "get")}},
		"another name":        {trigger(own, action("scale-workload", `{"kind":"Deployment","name":"api"}`)), []string{"spec.triggers[0].action: " + cannot("patch deployments", "api", e.ns, "apps", "deployments", "patch")}},
		"the event's object":  {trigger(own, action("scale-workload", `{"kind":"Deployment"}`)), nil},
		"all of a kind":       {trigger(own, action("run-job", `{"image":"x"}`)), []string{"spec.triggers[0].action: " + cannot("create jobs", "", e.ns, "batch", "jobs", "create")}},
		"a message template":  {trigger(own, action("scale-workload", `{"kind":"Deployment","name":"{{.data.metadata.name}}"}`)), nil},
		"another namespace":   {trigger(own, action("scale-workload", `{"kind":"Deployment","name":"api","namespace":"prod"}`)), []string{"spec.triggers[0].action: " + cannot("patch deployments", "api", "prod", "apps", "deployments", "patch")}},
		"another cluster":     {trigger(own, action("scale-workload", `{"kind":"Deployment","name":"api","cluster":"eu"}`)), nil},
		"the event's cluster": {trigger(own+`,"clusters":["local","eu"]`, action("scale-workload", `{"kind":"Deployment","name":"api"}`)), nil},
		"a kind that is not there": {
			trigger(own, action("scale-workload", `{"apiVersion":"example.com/v1","kind":"Missing","name":"api"}`)), nil,
		},
		"computed replicas": {trigger(own, v1alpha1.Action{
			Type: "scale-workload", Properties: &runtime.RawExtension{Raw: []byte(`{"kind":"Deployment","name":"api"}`)}, Cue: "replicas: 1",
		}), []string{"spec.triggers[0].action: " + cannot("patch deployments", "api", e.ns, "apps", "deployments", "patch")}},
		"computed name": {trigger(own, v1alpha1.Action{
			Type: "scale-workload", Properties: &runtime.RawExtension{Raw: []byte(`{"kind":"Deployment"}`)}, Cue: "name: context.data.metadata.labels.app",
		}), nil},
		"several actions": {v1alpha1.Trigger{Source: v1alpha1.Source{Type: resource.Type, Properties: pods(own)}, Actions: []v1alpha1.ActionStep{
			{Type: "log"}, {Type: "notify-slack", Properties: action("", `{"url":{"secretRef":{"name":"slack","key":"url"}}}`).Properties},
		}}, []string{"spec.triggers[0].actions[1]: " + cannot("get secrets", "slack", e.ns, "", "secrets", "get")}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, check(tt.trigger).Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
	deployments := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","namespace":%q}`, e.ns)
	patchPod := fmt.Sprintf(`{"resource":{"apiVersion":"v1","kind":"Pod","name":"a","namespace":%q},"patch":{"data":{"metadata":{"labels":{"a":"b"}}}}}`, e.ns)
	circle := []v1alpha1.Trigger{
		trigger(own, action("scale-workload", `{"kind":"Deployment","name":"web"}`)),
		{Source: v1alpha1.Source{Type: resource.Type, Properties: &runtime.RawExtension{Raw: []byte(deployments)}}, Action: action("patch-resource", patchPod)},
	}
	isCircle := func(w string) bool {
		return strings.HasPrefix(w, fmt.Sprintf("spec.triggers[0]: triggers may feed each other in a circle: %s/t0 → %[1]s/t1 → %[1]s/t0;", e.ns))
	}
	if got := check(circle...).Warnings; !slices.ContainsFunc(got, isCircle) {
		t.Errorf("a circle: got warnings %q", got)
	}
	circle[1].AllowSelfTrigger = true
	if got := check(circle...).Warnings; slices.ContainsFunc(got, isCircle) {
		t.Errorf("an allowed circle: got warnings %q", got)
	}
	// The number of requests is bounded, and equal rights are checked once.
	var many []v1alpha1.Trigger
	for i := range 60 {
		many = append(many, trigger(own, action("scale-workload", fmt.Sprintf(`{"kind":"Deployment","name":"api-%d"}`, i/2))))
	}
	before := reviews()
	warnings := check(many...).Warnings
	if n := reviews() - before; n != 32 || len(slices.Compact(warnings)) != 30 {
		t.Errorf("got %d requests and %d warnings, want 2 for the watch and one for each of 30 Deployments", n, len(warnings))
	}
	for i := range many {
		many[i].Action = action("scale-workload", fmt.Sprintf(`{"kind":"Deployment","name":"api-%d"}`, i))
	}
	before = reviews()
	check(many...)
	if n := reviews() - before; n != 40 {
		t.Errorf("got %d requests, want the limit of 40", n)
	}
}
