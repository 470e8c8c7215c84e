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
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// install creates an object and deletes it at the end of the test.
func (e env) install(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	if err := e.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Delete(context.WithoutCancel(t.Context()), o); err != nil {
			t.Error(err)
		}
	})
}

// installWebhook installs an admission webhook that denies all ConfigMaps named denied in the
// namespace of e. status is that of its response; nil for none.
func (e env) installWebhook(t *testing.T, status map[string]any) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			Request struct{ UID, Name string }
		}
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			t.Error(err)
		}
		response := map[string]any{"uid": review.Request.UID, "allowed": review.Request.Name != "denied"}
		if status != nil {
			response["status"] = status
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
		"webhooks": []any{map[string]any{
			"name": "policy.example.com", "sideEffects": "None", "admissionReviewVersions": []any{"v1"},
			"clientConfig":      map[string]any{"url": server.URL, "caBundle": base64.StdEncoding.EncodeToString([]byte(pemOf(server)))},
			"rules":             []any{map[string]any{"apiGroups": []any{""}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE"}, "resources": []any{"configmaps"}}},
			"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": e.namespace}},
		}},
	}}
	o.SetName("policy-" + e.namespace)
	e.install(t, o)
}

// installPolicy installs a policy of the API server that denies what installWebhook does.
func (e env) installPolicy(t *testing.T, reason string) {
	t.Helper()
	validation := map[string]any{"expression": "object.metadata.name != 'denied'", "message": "not now"}
	if reason != "" {
		validation["reason"] = reason
	}
	policy := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
		"spec": map[string]any{
			"failurePolicy": "Fail", "validations": []any{validation},
			"matchConstraints": map[string]any{
				"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": e.namespace}},
				"resourceRules":     []any{map[string]any{"apiGroups": []any{""}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE"}, "resources": []any{"configmaps"}}},
			},
		},
	}}
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
		"spec": map[string]any{"policyName": "policy-" + e.namespace, "validationActions": []any{"Deny"}},
	}}
	for _, o := range []*unstructured.Unstructured{policy, binding} {
		o.SetName("policy-" + e.namespace)
		e.install(t, o)
	}
}

// TestDenied: what a policy of the cluster denies may be allowed later, and is retried,
// whatever status the policy chose: the API server takes 400 for a webhook without one
// (kubernetes/kubernetes#77022), and controllers that gave up on a denial lost it
// (akuity/kargo#6716). What the API server itself finds invalid is final.
func TestDenied(t *testing.T) {
	for name, install := range map[string]func(e env, t *testing.T){
		"webhook without a status": func(e env, t *testing.T) { e.installWebhook(t, nil) },
		"webhook with 400": func(e env, t *testing.T) {
			e.installWebhook(t, map[string]any{"code": 400, "message": "no such team yet"})
		},
		"webhook with 422": func(e env, t *testing.T) {
			e.installWebhook(t, map[string]any{"code": 422, "reason": "Invalid", "message": "no such component yet"})
		},
		"policy":                   func(e env, t *testing.T) { e.installPolicy(t, "") },
		"policy with a reason":     func(e env, t *testing.T) { e.installPolicy(t, "Forbidden") },
		"policy that is too large": func(e env, t *testing.T) { e.installPolicy(t, "RequestEntityTooLarge") },
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			install(e, t)
			denied := e.action(t, e.Client, "apply-resource", map[string]any{"resource": map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "denied"},
			}})
			var err error
			cluster.Eventually(t, "a denial", func(ctx context.Context) error {
				if err = denied.Run(ctx, e.event("x")); err == nil {
					return errors.Join(errors.New("not denied"), e.Delete(ctx, e.newObject("v1", "ConfigMap", "denied")))
				}
				return nil
			})
			if action.IsTerminal(err) || !strings.Contains(err.Error(), "denied ") || !strings.Contains(err.Error(), "policy") {
				t.Errorf("got %v, want a retriable error", err)
			}
			invalid := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"a b": "c"}}
			if err := e.run(t, "apply-resource", map[string]any{"resource": invalid}, e.event("x")); err == nil || !action.IsTerminal(err) {
				t.Errorf("got %v, want a terminal error", err)
			}
		})
	}
}
