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
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// stampDefinition returns the YAML of the Definition of the action "stamp".
func stampDefinition(namespace, template string) string {
	return fmt.Sprintf(`
apiVersion: core.oam.dev/v1alpha1
kind: Definition
metadata: {namespace: %s, name: trigger-action-stamp}
spec:
  type: trigger-action
  templates:
    main.cue: |
%s
`, namespace, indent(template, "      "))
}

// indent prefixes each line of text.
func indent(text, prefix string) string {
	return prefix + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+prefix)
}

// stampTemplate returns the template of an action. It writes word, the parameter word and the
// value of the event's ConfigMap to the key "stamp" of the ConfigMap "out".
func stampTemplate(word string) string {
	return fmt.Sprintf(`
import "vela/kube"
patch: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "out", namespace: context.data.metadata.namespace}}
	patch: {type: "merge", data: data: stamp: "%s \(parameter.word) \(context.data.data.key)"}
}}
parameter: word: string
`, word)
}

// expectStamp updates the ConfigMap "in" once, and waits until the action "stamp" writes
// want.
func (i *installation) expectStamp(t *testing.T, ns, value, want string) {
	t.Helper()
	i.applyConfigMap(t, ns, "in", value)
	i.waitForValue(t, ns, "out", "stamp", want)
}

// expectDescribed waits until the status of the action "stamp" has the schema of its properties.
func (i *installation) expectDescribed(t *testing.T, ns string) {
	t.Helper()
	cluster.Eventually(t, "the schema of the action", func(ctx context.Context) error {
		d := &corev1alpha1.Definition{}
		if err := i.admin.Get(ctx, types.NamespacedName{Namespace: ns, Name: "trigger-action-stamp"}, d); err != nil {
			return err
		}
		if s := d.Status.ParameterSchema; s == nil || !strings.Contains(string(s.Raw), `"word"`) || !meta.IsStatusConditionTrue(d.Status.Conditions, corev1alpha1.ConditionValidated) {
			return fmt.Errorf("got status %+v", d.Status)
		}
		return nil
	})
}

// customAction tests the Definitions of an action. A Definition in the namespace overrides
// the Definition in vela-system. Changes take effect without a restart of the worker. An
// invalid Definition is reported, and the last valid one stays active.
func customAction(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.allowConfigMaps(t, ns)
	i.applyConfigMap(t, ns, "in", "0")
	i.applyConfigMap(t, ns, "out", "0")
	i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  triggers:
    - source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update], fieldSelector: metadata.name=in}}
      action: {type: stamp, properties: {word: x}}
`, ns))
	ts := i.waitForService(t, ns, "main", hasCondition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidTriggers))
	c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated)
	if !strings.Contains(c.Message, `spec.triggers[0].action.type: unknown action "stamp"`) {
		t.Errorf("got message %q, want the unknown action", c.Message)
	}
	i.apply(t, stampDefinition("vela-system", stampTemplate("system")))
	i.waitForReady(t, ns, "main")
	i.expectStamp(t, ns, "1", "system x 1")
	pod := i.singlePod(t, ns)

	i.apply(t, stampDefinition(ns, stampTemplate("own")))
	i.waitForStamp(t, ns, "own x")
	i.expectDescribed(t, ns)

	i.apply(t, stampDefinition(ns, "invalid: {\n\tx: y\n"))
	ts = i.waitForService(t, ns, "main", hasCondition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidAction))
	c = meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated)
	if !strings.Contains(c.Message, "Definition "+ns+"/trigger-action-stamp:") {
		t.Errorf("got message %q, want the name of the Definition", c.Message)
	}
	i.expectStamp(t, ns, "invalid", "own x invalid")
	invalidCustomAction(t, i, ns)
	pod.Kill()
	i.expectStamp(t, ns, "killed", "own x killed")

	imports, body, _ := strings.Cut(strings.TrimSpace(stampTemplate("fixed")), "\n")
	i.apply(t, stampDefinition(ns, imports+"\nstamp: {type: \"trigger-action\", attributes: {}}\ntemplate: {\n"+body+"\n}"))
	i.waitForStamp(t, ns, "fixed x")
	i.delete(t, stampDefinition(ns, "x: 1"))
	i.waitForStamp(t, ns, "system x")
	i.waitForReady(t, ns, "main")
	if got := i.singlePod(t, ns); got != pod || got.Starts() != 2 {
		t.Errorf("got pod %s, started %d times; want %s, started 2 times", got.Name, got.Starts(), pod.Name)
	}
}

// invalidCustomAction tests a TriggerService whose action was never valid: the cause is told
// once, by the condition and by the worker.
func invalidCustomAction(t *testing.T, i *installation, ns string) {
	t.Helper()
	i.apply(t, strings.Replace(stampDefinition(ns, "x: parametre.y\nparameter: y: *1 | int"), "trigger-action-stamp", "trigger-action-typo", 1))
	i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: typo}
spec:
  triggers:
    - {name: a, source: {type: cronjob, properties: {schedule: "0 0 1 1 *"}}, action: {type: typo}}
    - {name: b, source: {type: cronjob, properties: {schedule: "0 0 1 1 *"}}, actions: [{type: typo}]}
    - {name: c, source: {type: cronjob, properties: {schedule: "0 0 1 1 *"}}, action: {type: log}}
`, ns))
	ts := i.waitForService(t, ns, "typo", func(ts *v1alpha1.TriggerService) error {
		if len(ts.Status.Triggers) != 3 {
			return fmt.Errorf("got the status of %d triggers, want 3", len(ts.Status.Triggers))
		}
		return hasCondition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidAction)(ts)
	})
	const cause = `1:4: unknown name "parametre"; did you mean "parameter"?`
	if got, want := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated).Message,
		"Definition "+ns+"/trigger-action-typo:"+strings.Replace(cause, ": ", `: action "typo": `, 1); got != want {
		t.Errorf("got message  %q\nwant         %q", got, want)
	}
	for n, path := range []string{"spec.triggers[0].action.type", "spec.triggers[1].actions[0].type"} {
		if got, want := ts.Status.Triggers[n].Message, path+`: action "typo" is invalid: `+cause; got != want {
			t.Errorf("trigger %d: got message %q\nwant %q", n, got, want)
		}
	}
	if got := ts.Status.Triggers[2]; got.State != v1alpha1.TriggerRunning {
		t.Errorf("the valid trigger is %s: %s", got.State, got.Message)
	}
}
