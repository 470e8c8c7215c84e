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

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// kindNotFound tests that a trigger whose kind is not installed waits for its CRD, that the
// status reports this, and that the other triggers run meanwhile.
func kindNotFound(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	plural := "things" + strings.ReplaceAll(ns, "-", "")
	kind := strings.ToUpper(plural[:1]) + plural[1:]
	var triggers strings.Builder
	for n := range 18 {
		fmt.Fprintf(&triggers, `    - name: t%d
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, events: [update]}}
      filter: context.data.metadata.name == "web-%d"
      action: {type: bump-application-revision}
`, n, ns, n)
	}
	fmt.Fprintf(&triggers, `    - name: missing
      source: {type: resource-watcher, properties: {apiVersion: e2e.test/v1, kind: %s, namespace: %s}}
      action: {type: bump-application-revision}
  serviceAccountName: own
`, kind, ns)
	i.createServiceAccount(t, ns, "own", fmt.Sprintf(`[{apiGroups: [e2e.test], resources: [%s], verbs: [get, list, watch]}]`, plural))
	i.apply(t, bumpTriggers(ns, "main", triggers.String()))
	ts := i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady)
		// The controller updates the condition after the worker's status.
		if ts.Status.ReadyTriggers != "19/20" || c == nil || c.Reason != v1alpha1.ReasonTriggersNotRunning || strings.Contains(c.Message, "Starting") {
			return fmt.Errorf("got status %+v, want 19/20 ready triggers", ts.Status)
		}
		return nil
	})
	last := ts.Status.Triggers[19]
	if last.Name != "missing" || last.State != v1alpha1.TriggerWaiting || last.Reason != v1alpha1.TriggerReasonKindNotFound || !strings.Contains(last.Message, kind) {
		t.Errorf("got trigger status %+v, want %s for kind %s", last, v1alpha1.TriggerWaiting, kind)
	}
	c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionReady)
	if c.Status != metav1.ConditionFalse || !strings.HasPrefix(c.Message, "missing: KindNotFound: ") {
		t.Errorf("got condition %+v, want the name of the trigger", c)
	}
	i.createApplication(t, ns, "web-0")
	i.applyConfigMap(t, ns, "web-0", "0")
	i.applyConfigMap(t, ns, "web-0", "1")
	i.waitForVersion(t, ns, "web-0", "2") // bumped by one of the triggers "bump" and "t0"

	installed := time.Now()
	i.Install(t, writeCRD(t, plural, kind))
	i.waitForReady(t, ns, "main")
	t.Logf("trigger ready %v after the installation of its kind", time.Since(installed).Round(time.Millisecond))
	i.createApplication(t, ns, "thing")
	i.apply(t, fmt.Sprintf("apiVersion: e2e.test/v1\nkind: %s\nmetadata: {namespace: %s, name: thing}", kind, ns))
	i.waitForVersion(t, ns, "thing", "2")
}

// writeCRD writes a CRD of e2e.test/v1 to a file, and returns the path.
func writeCRD(t *testing.T, plural, kind string) string {
	t.Helper()
	preserveUnknownFields := true
	return writeObject(t, filepath.Join(t.TempDir(), "crd.yaml"), &apiextensionsv1.CustomResourceDefinition{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"},
		ObjectMeta: metav1.ObjectMeta{Name: plural + ".e2e.test"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "e2e.test", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Kind: kind},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &preserveUnknownFields}},
			}},
		},
	})
}
