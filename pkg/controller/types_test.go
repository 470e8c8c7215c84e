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
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubevela/kube-trigger/pkg/admission"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// TestValidator_Types refuses what the schemas of the cluster contradict in new TriggerServices, and warns
// about it in updates.
func TestValidator_Types(t *testing.T) {
	e := newEnv(t)
	m := e.newManager(t, logr.Discard(), func(next http.RoundTripper) http.RoundTripper { return next })
	schemas, err := kubeschema.NewCluster(m.GetConfig(), m.GetHTTPClient())
	if err != nil {
		t.Fatal(err)
	}
	kinds := []schema.GroupVersionKind{
		{Group: "apps", Version: "v1", Kind: "Deployment"}, {Version: "v1", Kind: "Pod"},
		{Group: "example.com", Version: "v1", Kind: "Missing"}, {Group: v1alpha1.Group, Version: v1alpha1.Version, Kind: v1alpha1.TriggerServiceKind},
	}
	var found []kubeschema.Kind
	// The API server publishes the schema of a new CustomResourceDefinition a moment later.
	if err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		found, err = schemas.Kinds(ctx, kinds)
		return len(found) == 3, err
	}); err != nil {
		t.Fatalf("got %d kinds: %v", len(found), err)
	}
	o := e.newOptions(t)
	o.Kinds = func(context.Context, *v1alpha1.TriggerService) []kubeschema.Kind { return found }
	withCluster, without := controller.NewValidator(m, o), controller.NewValidator(m, e.newOptions(t))
	start(t, m)
	if !m.GetCache().WaitForCacheSync(t.Context()) {
		t.Fatal("no cache")
	}
	const deployment, service = `{"apiVersion":"apps/v1","kind":"Deployment"}`, `{"apiVersion":"standard.oam.dev/v1alpha1","kind":"TriggerService"}`
	for _, tt := range []struct {
		name, properties, filter string
		// want is the finding; empty for none. isProblem is set if it is a problem of a new object with
		// the cluster's schemas, always if it is one without them.
		want              string
		isProblem, always bool
	}{
		{"valid", deployment, `context.data.status.readyReplicas == context.data.status.replicas`, "", false, false},
		{"unknown field", deployment, `context.data.status.redyReplicas == 1`, `spec.triggers[0].filter:1:21: context.data.status has no field "redyReplicas" (apps/v1 Deployment); did you mean "readyReplicas"?`, true, false},
		{"of a joined cluster", strings.Replace(deployment, "}", `,"clusters":["eu"]}`, 1), `context.data.status.redyReplicas == 1`, `did you mean "readyReplicas"?`, false, false},
		{"never", deployment, `context.data.spec.replicas > "3"`, `did you mean 3?; the filter never matches`, true, true},
		{"of a CustomResourceDefinition", service, `context.data.status.succeded > 3`, `(standard.oam.dev/v1alpha1 TriggerService); did you mean "succeeded"?`, true, false},
		{"unknown kind", `{"apiVersion":"apps/v1","kind":"Deploymnt"}`, `context.data.kind == "x"`, `spec.triggers[0].source.properties.kind: apps/v1 has no kind "Deploymnt"; did you mean "Deployment"?`, false, false},
	} {
		ts := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: "main"}, Spec: v1alpha1.TriggerServiceSpec{Triggers: []v1alpha1.Trigger{{
			Name: "t", Source: v1alpha1.Source{Type: resource.Type, Properties: &runtime.RawExtension{Raw: []byte(tt.properties)}},
			Filter: tt.filter, Action: v1alpha1.Action{Type: "log"},
		}}}}
		raw, err := json.Marshal(ts)
		if err != nil {
			t.Fatal(err)
		}
		q := &admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Namespace: e.ns, Object: runtime.RawExtension{Raw: raw},
			Kind: metav1.GroupVersionKind{Group: v1alpha1.Group, Version: v1alpha1.Version, Kind: v1alpha1.TriggerServiceKind},
		}
		check := func(how string, isProblem bool, validator admission.Validator) {
			t.Helper()
			v, err := validator(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			problems, warnings := v.Problems.Error(), strings.Join(v.Warnings, "\n")
			switch {
			case tt.want == "" && problems == "" && !strings.Contains(warnings, "filter"):
			case tt.want != "" && isProblem && strings.Contains(problems, tt.want):
			case tt.want != "" && !isProblem && problems == "" && strings.Contains(warnings, tt.want):
			default:
				t.Errorf("%s, %s: got problems %q and warnings %q, want %q", tt.name, how, problems, warnings, tt.want)
			}
		}
		check("new, with schemas", tt.isProblem, withCluster)
		check("new, without", tt.always, without)
		q.Operation, q.OldObject.Raw = admissionv1.Update, []byte(strings.Replace(string(raw), `"t"`, `"u"`, 1))
		check("update", false, withCluster)
	}
}
